// The routes of products, their stock and their codes.
import { z } from 'zod';
import type { Database } from '../../database/database';
import type { ProductChange } from '../../database/fulfilment/change-products';
import { inTime } from '../http/deadline';
import { sku } from '../http/fields';
import { ALL_ROLES, operation, SHOP_ROLES, type Operation, type Reply } from '../http/operations';
import { ApiError } from '../http/problem';
import { productReply, renderProduct } from './replies';
import { newCodes, newProduct, stockChange } from './schemas';

const NO_PRODUCT = 'There is no product with this sku';

/** The fields that all operations on products share. */
const product = {
  roles: SHOP_ROLES,
  params: z.object({ sku }),
  reply: productReply,
} as const;

/** Makes the operations on products, their stock and their codes. */
export function productOperations({ products }: Pick<Database, 'products'>): Operation[] {
  return [
    operation({
      ...product,
      id: 'putProduct',
      method: 'put',
      path: '/v1/products/:sku',
      summary: 'Creates a product, or renames it',
      body: newProduct,
      replies: { 200: 'The product', 409: 'The kind of a product cannot be changed' },
      handle: ({ params, body: { name, kind, stock }, caller }) =>
        replyWith(products.put({ sku: params.sku, name, kind, stock: stock ?? null }, caller)),
    }),
    operation({
      ...product,
      id: 'getProduct',
      method: 'get',
      path: '/v1/products/:sku',
      summary: 'Reads a product; stock − reserved of it can be sold',
      roles: ALL_ROLES,
      replies: { 200: 'The product', 404: NO_PRODUCT },
      handle: ({ params }) =>
        replyWith(
          products
            .find(params.sku)
            .then((found) => (found ? { kind: 'ok', product: found } : { kind: 'not_found' })),
        ),
    }),
    operation({
      ...product,
      id: 'changeStock',
      method: 'post',
      path: '/v1/products/:sku/stock',
      summary: 'Adds stock of a product, or removes it',
      body: stockChange,
      replies: { 200: 'The product', 404: NO_PRODUCT, 409: 'Less would remain than is reserved' },
      handle: ({ params, body, caller }) =>
        replyWith(products.changeStock(params.sku, body, caller)),
    }),
    ...codeOperations(products),
  ];
}

/** The operations on the codes of a virtual product. */
function codeOperations(products: Database['products']): Operation[] {
  return [
    operation({
      ...product,
      id: 'addCodes',
      method: 'post',
      path: '/v1/products/:sku/codes',
      summary: 'Adds codes to a virtual product; a code that it already has is left as it is',
      body: newCodes,
      replies: {
        200: 'The product',
        404: NO_PRODUCT,
        409: 'The product is not virtual, or a code belongs to another product',
      },
      handle: ({ params, body: { codes }, caller }) =>
        replyWith(products.addCodes(params.sku, codes, caller)),
    }),
    operation({
      ...product,
      id: 'useCodes',
      method: 'post',
      path: '/v1/products/:sku/codes/used',
      summary: 'Marks codes as used by their users, so that no refund revokes them',
      body: newCodes,
      replies: {
        200: 'The product',
        404: 'There is no product with this sku, or a code was not handed out',
        409: 'A refund has already revoked a code',
      },
      handle: ({ params, body: { codes }, caller }) =>
        replyWith(products.useCodes(params.sku, codes, caller)),
    }),
  ];
}

/** Replies with the product after a change. @throws ApiError for a change that was refused */
async function replyWith(change: Promise<ProductChange>): Promise<Reply> {
  const result = await inTime(change);
  switch (result.kind) {
    case 'ok':
      return { status: 200, body: renderProduct(result.product) };
    case 'not_found':
      throw new ApiError('NOT_FOUND', `${NO_PRODUCT}; create it first`);
    case 'conflict':
      throw new ApiError('PRODUCT_CONFLICT', result.detail);
    case 'code_unknown':
      throw new ApiError(
        'NOT_FOUND',
        'Some codes were not handed out, so none was marked as used; remove them from the list',
        { errors: errorsAt(result.indexes, 'was not handed out') },
      );
    case 'code_revoked':
      throw new ApiError(
        'CODE_REVOKED',
        'Refunds have revoked some codes, so none was marked as used; remove them from the list',
        { errors: errorsAt(result.indexes, 'was revoked by a refund') },
      );
    case 'code_taken':
      throw new ApiError(
        'CODE_TAKEN',
        'Some codes belong to another product, so none was added; remove them from the list',
        { errors: errorsAt(result.indexes, 'belongs to another product') },
      );
  }
}

const errorsAt = (indexes: readonly number[], message: string) =>
  indexes.map((index) => ({ field: `codes[${index}]`, message }));
