// Shows an order's state to operators in Temporal Web UI.
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
 * Makes the function that shows a view in Temporal Web UI. It writes the search attributes only
 * when they change, because each write is an event; the details add none.
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
    `- payment window ends: ${new Date(view.expiresAtMs).toISOString()}`,
    `- prepay rounds done: ${view.prepayRounds}`,
    `- effects to run: ${view.effectsDue}`,
    `- webhooks and messages to send: ${view.deliveriesDue}`,
  ];
  if (view.closeRequested) lines.push('- a close is requested');
  if (view.attention !== null) {
    const actions = actionsFor(view.attention, view.attentionSubject ?? '');
    lines.push(
      '',
      `⚠ **${view.attention}**: a person must decide (${view.openInterventions} open)`,
      '',
      `- actions to choose from: ${actions.join(' · ')}`,
      `- intervention: ${view.attentionId ?? 'GET /v1/interventions lists it'}`,
      `- send the action to POST /v1/interventions/${view.attentionId ?? '{id}'}/resolution,`,
      '  or propose it here with the signal `propose` (an API key then has to approve it)',
    );
  }
  return lines.join('\n');
}
