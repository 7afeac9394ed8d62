// Shows the tables as grids, as 多维表格 does.
import { textOf, type Cell } from '../bitable/cells';
import type { Column } from '../bitable/columns';
import type { Document } from '../bitable/document';
import type { Row, Table } from '../bitable/tables';
import type { People } from '../tenant/people';
import { html, type Html } from './html';

/** The page shows the newest rows only. */
const SHOWN_ROWS = 200;
const BEIJING_AHEAD_MS = 8 * 60 * 60_000;
const OPTION_COLORS = 11;

const ICONS: Readonly<Record<number, string>> = {
  1: 'A',
  2: '#',
  3: '◉',
  4: '☰',
  5: '◷',
  7: '☑',
  11: '@',
  15: '↗',
};

/** `2026/12/01 10:30:05`, in Beijing. */
export function showTime(ms: number): string {
  const time = new Date(ms + BEIJING_AHEAD_MS).toISOString();
  return time.slice(0, 19).replaceAll('-', '/').replace('T', ' ');
}

/** The text that a person edits in this cell. */
function rawOf({ type }: Column, cell: Cell | undefined, people: People): string {
  if (cell === undefined) return '';
  return type === 5 && typeof cell === 'number' ? showTime(cell) : textOf(cell, people);
}

function showOption(column: Column, name: string): Html {
  const color = column.options.find((option) => option.name === name)?.color ?? 0;
  return html`<span class="option option-${color % OPTION_COLORS}">${name}</span>`;
}

function showCell(column: Column, cell: Cell | undefined, people: People): Html {
  if (cell === undefined) return html``;
  if (column.type === 3 && typeof cell === 'string') return showOption(column, cell);
  if (column.type === 4 && Array.isArray(cell)) {
    return html`${cell.map((name) => showOption(column, String(name)))}`;
  }
  if (column.type === 7) return html`<span class="tick">✓</span>`;
  return html`${rawOf(column, cell, people)}`;
}

function showRow(table: Table, row: Row, at: number, people: People): Html {
  const by = people.find(row.modifiedBy)?.name ?? row.modifiedBy;
  const cells = table.columns.map((column) => {
    const cell = row.cells.get(column.fieldId);
    const raw = rawOf(column, cell, people);
    return html`<td
      class="type-${column.type}"
      data-column="${column.name}"
      data-raw="${raw}"
      title="${raw}"
    >
      ${showCell(column, cell, people)}
    </td>`;
  });
  return html`<tr data-record="${row.recordId}">
    <th title="${`${by} · ${showTime(row.modifiedMs)}`}">
      ${at}<button class="delete-row" title="删除记录">×</button>
    </th>
    ${cells}
  </tr>`;
}

function showHead(column: Column): Html {
  const options = JSON.stringify(column.options.map(({ name }) => name));
  return html`<th data-type="${column.type}" data-options="${options}">
    <i>${ICONS[column.type] ?? 'A'}</i>${column.name}
  </th>`;
}

function showTable(table: Table, people: People): Html {
  const rows = [...table.rows.values()];
  const first = Math.max(0, rows.length - SHOWN_ROWS);
  const shown = rows.slice(first).map((row, at) => showRow(table, row, first + at + 1, people));
  const note = first === 0 ? '' : `，显示最新 ${SHOWN_ROWS} 条`;
  return html`<section class="table" data-table="${table.tableId}">
    <h2>
      <span class="sheet"></span>${table.name}<small>${`共 ${rows.length} 条记录${note}`}</small>
      <button class="add-row">＋ 添加记录</button>
    </h2>
    <div class="grid" data-keep="${table.tableId}">
      <table>
        <thead>
          <tr>
            <th></th>
            ${table.columns.map(showHead)}
          </tr>
        </thead>
        <tbody>
          ${shown}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** All tables of the document. */
export function renderTables({ tables, people }: Document): Html {
  const all = tables.all();
  if (all.length === 0) return html`<p class="empty">文档里还没有数据表</p>`;
  return html`${all.map((table) => showTable(table, people))}`;
}
