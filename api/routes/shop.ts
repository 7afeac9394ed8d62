import type { z } from 'zod';
import type { Database } from '../../database/database';
import type { ProductChange } from '../../database/products';
import { readCursor, writeCursor } from '../http/cursor';
import { inTime } from '../http/deadline';
import { ApiError } from '../http/problem';
import { parse } from '../http/validation';
import { ALL_ROLES, SHOP_ROLES, type Call, type Operation, type Reply } from '../operations';
import {
  interventionListReply,
  pointsReply,
  productReply,
  renderIntervention,
  renderPoints,
  renderProduct,
} from '../replies';
import * as schemas from '../schemas';

type Deps = { readonly database: Pick<Database, 'products' | 'interventions'> };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DEFAULT_LIMIT = 50;

/** Products with their stock and codes, and the points of users. */
export function shopOperations({ database: { products, interventions } }: Deps): Operation[] {
  const product = { roles: SHOP_ROLES, reply: productReply } as const;
  return [
    {
      ...product,
      id: 'putProduct',
      method: 'put',
      path: '/v1/products/:sku',
      summary: 'Makes a product or gives it another name',
      body: schemas.newProduct,
      replies: { 200: 'The product', 409: 'Its kind can not be changed' },
      handle: (call) => {
        const { name, kind, stock } = call.body as z.output<typeof schemas.newProduct>;
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
      body: schemas.stockChange,
      replies: { 200: 'The product', 404: 'No such product', 409: 'Less than is reserved' },
      handle: (call) => {
        const change = call.body as z.output<typeof schemas.stockChange>;
        return answer(products.changeStock(skuOf(call), change, call.caller));
      },
    },
    {
      ...product,
      id: 'addCodes',
      method: 'post',
      path: '/v1/products/:sku/codes',
      summary: 'Adds codes to the pool of a virtual product; those that are there stay as they are',
      body: schemas.newCodes,
      replies: {
        200: 'The product',
        404: 'No such product',
        409: 'Not virtual, or a code is taken',
      },
      handle: (call) => {
        const { codes } = call.body as z.output<typeof schemas.newCodes>;
        return answer(products.addCodes(skuOf(call), codes, call.caller));
      },
    },
    {
      id: 'getPoints',
      method: 'get',
      path: '/v1/users/:user_id/points',
      summary: 'The points of a user',
      roles: ALL_ROLES,
      reply: pointsReply,
      replies: { 200: 'Balance and latest entries' },
      handle: async (call) => {
        const { user_id: userId } = parse(schemas.userParameter, call.params);
        return { status: 200, body: renderPoints(await inTime(products.points(userId))) };
      },
    },
    {
      id: 'listInterventions',
      method: 'get',
      path: '/v1/interventions',
      summary: 'The questions for a person, oldest first',
      roles: ALL_ROLES,
      query: schemas.interventionListQuery,
      reply: interventionListReply,
      replies: { 200: 'A page' },
      handle: (call) => listInterventions(interventions, call),
    },
  ];
}

function skuOf(call: Call): string {
  return parse(schemas.skuParameter, { sku: call.params['sku'] }).sku;
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
    case 'code_taken':
      throw new ApiError('CODE_TAKEN', 'Some codes belong to another product; none was added', {
        errors: result.indexes.map((index) => ({
          field: `codes[${index}]`,
          message: 'belongs to another product',
        })),
      });
  }
}

async function listInterventions(
  interventions: Database['interventions'],
  call: Call,
): Promise<Reply> {
  const query = call.query as z.output<typeof schemas.interventionListQuery>;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const place = query.cursor === undefined ? null : readCursor(query.cursor, UUID);
  const rows = await inTime(
    interventions.list({
      status: query.status ?? null,
      after: place && { since: place.at, id: place.id },
      limit: limit + 1,
    }),
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    status: 200,
    body: {
      data: page.map(renderIntervention),
      next_cursor: last ? writeCursor({ at: last.since, id: last.id }) : null,
    },
  };
}
