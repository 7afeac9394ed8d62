import type { z } from 'zod';
import type { Database } from '../../database/database';
import type { ProductChange } from '../../database/fulfilment/change-products';
import { inTime } from '../http/deadline';
import { ApiError } from '../http/problem';
import { parse } from '../http/validation';
import { ALL_ROLES, SHOP_ROLES, type Call, type Operation, type Reply } from '../http/operations';
import { renderProduct } from './replies';
import { productReply } from './replies';
import { newCodes } from './schemas';
import { stockChange } from './schemas';
import { newProduct } from './schemas';
import { skuParameter } from '../http/fields';

/** Products with their stock and their pool of codes. */
export function productOperations({ products }: Pick<Database, 'products'>): Operation[] {
  const product = { roles: SHOP_ROLES, reply: productReply } as const;
  return [
    {
      ...product,
      id: 'putProduct',
      method: 'put',
      path: '/v1/products/:sku',
      summary: 'Makes a product or gives it another name',
      body: newProduct,
      replies: { 200: 'The product', 409: 'Its kind can not be changed' },
      handle: (call) => {
        const { name, kind, stock } = call.body as z.output<typeof newProduct>;
        const given = { sku: skuOf(call), name, kind, stock: stock ?? null };
        return answer(products.put(given, call.caller));
      },
    },
    {
      ...product,
      id: 'getProduct',
      method: 'get',
      path: '/v1/products/:sku',
      summary: 'A product; what can be sold is stock − reserved',
      roles: ALL_ROLES,
      replies: { 200: 'The product', 404: 'No such product' },
      handle: (call) =>
        answer(
          products
            .find(skuOf(call))
            .then((found) => (found ? { kind: 'ok', product: found } : { kind: 'not_found' })),
        ),
    },
    {
      ...product,
      id: 'changeStock',
      method: 'post',
      path: '/v1/products/:sku/stock',
      summary: 'Puts stock in or takes it out',
      body: stockChange,
      replies: { 200: 'The product', 404: 'No such product', 409: 'Less than is reserved' },
      handle: (call) => {
        const change = call.body as z.output<typeof stockChange>;
        return answer(products.changeStock(skuOf(call), change, call.caller));
      },
    },
    ...codeOperations(products),
  ];
}

/** The pool of codes of a virtual product. */
function codeOperations(products: Database['products']): Operation[] {
  const product = { roles: SHOP_ROLES, reply: productReply } as const;
  return [
    {
      ...product,
      id: 'addCodes',
      method: 'post',
      path: '/v1/products/:sku/codes',
      summary: 'Adds codes to the pool of a virtual product; those that are there stay as they are',
      body: newCodes,
      replies: {
        200: 'The product',
        404: 'No such product',
        409: 'Not virtual, or a code is taken',
      },
      handle: (call) => {
        const { codes } = call.body as z.output<typeof newCodes>;
        return answer(products.addCodes(skuOf(call), codes, call.caller));
      },
    },
    {
      ...product,
      id: 'useCodes',
      method: 'post',
      path: '/v1/products/:sku/codes/used',
      summary: 'Notes codes that users have redeemed: no refund takes them back',
      body: newCodes,
      replies: {
        200: 'The product',
        404: 'No such product, or a code that nobody has',
        409: 'A refund has taken a code back',
      },
      handle: (call) => {
        const { codes } = call.body as z.output<typeof newCodes>;
        return answer(products.useCodes(skuOf(call), codes, call.caller));
      },
    },
  ];
}

function skuOf(call: Call): string {
  return parse(skuParameter, { sku: call.params['sku'] }).sku;
}

async function answer(change: Promise<ProductChange>): Promise<Reply> {
  const result = await inTime(change);
  switch (result.kind) {
    case 'ok':
      return { status: 200, body: renderProduct(result.product) };
    case 'not_found':
      throw new ApiError('NOT_FOUND', 'There is no such product');
    case 'conflict':
      throw new ApiError('PRODUCT_CONFLICT', result.detail);
    case 'code_unknown':
      throw new ApiError('NOT_FOUND', 'Nobody has some of the codes; none was noted', {
        errors: result.indexes.map((index) => ({
          field: `codes[${index}]`,
          message: 'was not handed out',
        })),
      });
    case 'code_revoked':
      throw new ApiError('CODE_REVOKED', 'Refunds have taken some codes back; none was noted', {
        errors: result.indexes.map((index) => ({
          field: `codes[${index}]`,
          message: 'was taken back',
        })),
      });
    case 'code_taken':
      throw new ApiError('CODE_TAKEN', 'Some codes belong to another product; none was added', {
        errors: result.indexes.map((index) => ({
          field: `codes[${index}]`,
          message: 'belongs to another product',
        })),
      });
  }
}
