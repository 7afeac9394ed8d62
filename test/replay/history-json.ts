// Converts histories from and to Temporal's JSON.
import { createRequire } from 'node:module';
import type { History } from '@temporalio/common/lib/proto-utils';
import * as proto from '@temporalio/proto';
import { patchProtobufRoot } from '@temporalio/proto/lib/patch-protobuf-root';
import { z } from 'zod';

/*
 * Temporal's JSON of a history (protobuf's JSON mapping), as its CLI and SDKs read and write it.
 * @temporalio/common has the same two functions. They throw "type must be a Type" when npm has
 * installed protobufjs twice, for it and for @temporalio/proto, as it does beside @grpc/grpc-js,
 * which needs an older version. Here both halves come from the copy that made the message types.
 */

interface Root {
  lookupType(name: string): object;
}

interface Mapping {
  toJson(type: object, message: object): unknown;
  fromJson(type: object, json: unknown, options: object): History | null;
}

const has = (value: unknown, ...names: string[]) =>
  typeof value === 'object' &&
  value !== null &&
  names.every((name) => typeof Reflect.get(value, name) === 'function');
const rootSchema = z.custom<Root>((value) => has(value, 'lookupType'));
const mappingSchema = z.custom<Mapping>((value) => has(value, 'toJson', 'fromJson'));

const requireBesideProto = createRequire(require.resolve('@temporalio/proto'));
const mapping = mappingSchema.parse(requireBesideProto('protobufjs/ext/protojson'));
const historyType = rootSchema
  .parse(patchProtobufRoot(proto))
  .lookupType('temporal.api.history.v1.History');

/** The JSON value of a history as the client fetched it. */
export function historyToJson(history: History): unknown {
  const { History } = proto.temporal.api.history.v1;
  return mapping.toJson(historyType, History.fromObject(history));
}

/** @throws when it is no history */
export function historyFromJson(json: unknown): History {
  const history = mapping.fromJson(historyType, json, { ignoreUnknownFields: true });
  if (history === null) throw new TypeError('This is no history.');
  return history;
}
