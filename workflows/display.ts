// Sandbox: deterministic only.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { actionsFor } from '../domain/interventions/reasons';
import { formatFen } from '../domain/money';
import type { RunView } from '../domain/orders/run-view';
import { SEARCH_ATTRIBUTES } from '../domain/temporal/task-queues';

const STATUS = defineSearchAttributeKey(SEARCH_ATTRIBUTES.status, SearchAttributeType.KEYWORD);
const ATTENTION = defineSearchAttributeKey(
  SEARCH_ATTRIBUTES.attention,
  SearchAttributeType.KEYWORD,
);

/**
 * What an operator sees in Temporal Web UI. The search attributes are written when they change (each
 * time is an event); the details cost nothing.
 */
export function createDisplay() {
  let shown: { status: string; attention: string | null } | null = null;
  return (view: RunView): void => {
    setCurrentDetails(details(view));
    if (shown?.status === view.status && shown.attention === view.attention) return;
    const attentionChanged = (shown?.attention ?? null) !== view.attention;
    upsertSearchAttributes([
      { key: STATUS, value: view.status },
      ...(attentionChanged ? [{ key: ATTENTION, value: view.attention }] : []),
    ]);
    shown = { status: view.status, attention: view.attention };
  };
}

function details(view: RunView): string {
  const lines = [
    `**${view.status}** · ${formatFen(view.totalFen)} · ${view.channel}`,
    '',
    `- can be paid until: ${new Date(view.expiresAtMs).toISOString()}`,
    `- prepay rounds: ${view.prepayRounds}`,
    `- effects left: ${view.effectsDue}`,
    `- to be told: ${view.deliveriesDue}`,
  ];
  if (view.closeRequested) lines.push('- close: requested');
  if (view.attention !== null) {
    lines.push(
      '',
      `⚠ **${view.attention}**: a person is needed (${view.openInterventions} open)`,
      '',
      `- answers: ${actionsFor(view.attention, view.attentionSubject ?? '').join(' · ')}`,
      `- intervention: ${view.attentionId ?? 'see the API'}`,
      `- POST /v1/interventions/${view.attentionId ?? '{id}'}/resolution, or propose here with the signal \`propose\``,
    );
  }
  return lines.join('\n');
}
