// The script of the page: it refreshes by itself, edits cells and presses buttons.
/**
 * Plain JavaScript for the browser. It writes HTML only as the simulator escaped it, and leaves the
 * tables or the chat alone while a person types there.
 */
export const SCRIPT = String.raw`
'use strict';
const REFRESH_MS = 1000;
const TOAST_MS = 4000;
const parts = { tables: document.getElementById('tables'), chat: document.getElementById('chat') };
const who = document.getElementById('who');
const shown = {};

function toast(type, text) {
  const box = document.getElementById('toast');
  box.textContent = text;
  box.className = 'shown ' + type;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.className = ''; }, TOAST_MS);
}

const isTyping = (part) =>
  part.contains(document.activeElement) && /INPUT|SELECT/.test(document.activeElement.tagName)
  || [...part.querySelectorAll('.input input')].some((input) => input.value !== '');

function show(name, html) {
  const part = parts[name];
  if (shown[name] === html || isTyping(part)) return;
  const atEnd = part.scrollTop + part.clientHeight >= part.scrollHeight - 40;
  const kept = new Map([...part.querySelectorAll('[data-keep]')]
    .map((one) => [one.dataset.keep, [one.scrollLeft, one.scrollTop]]));
  shown[name] = html;
  part.innerHTML = html;
  for (const one of part.querySelectorAll('[data-keep]')) {
    const [left, top] = kept.get(one.dataset.keep) || [0, one.scrollHeight];
    one.scrollLeft = left;
    one.scrollTop = top;
  }
  if (name === 'chat' && atEnd) part.scrollTop = part.scrollHeight;
}

async function refresh() {
  const response = await fetch('/page/state');
  const state = await response.json();
  show('tables', state.tables);
  show('chat', state.chat);
}

async function act(path, body) {
  const response = await fetch('/page/' + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...body, by: who.value }),
  });
  const reply = await response.json();
  if (reply.toast) toast(reply.toast.type, reply.toast.content);
  await refresh();
}

function edit(cell) {
  if (cell.classList.contains('editing')) return;
  const head = cell.closest('table').querySelectorAll('thead th')[cell.cellIndex];
  const type = Number(head.dataset.type);
  if (type > 1000 || type === 11 || type === 15) return;
  const record = cell.parentElement.dataset.record;
  const table = cell.closest('section').dataset.table;
  const { column, raw } = cell.dataset;
  const send = (text) => act('edit', { table, record, column, text });
  if (type === 7) { void send(raw === '' ? 'true' : ''); return; }
  const input = document.createElement(type === 3 ? 'select' : 'input');
  if (type === 3) {
    for (const option of ['', ...JSON.parse(head.dataset.options)]) {
      input.add(new Option(option, option, option === raw, option === raw));
    }
  } else input.value = raw;
  cell.textContent = '';
  cell.classList.add('editing');
  cell.append(input);
  input.focus();
  let left = false;
  const leave = (save) => {
    if (left) return;
    left = true;
    input.blur();
    shown.tables = '';
    void (save && input.value !== raw ? send(input.value) : refresh());
  };
  input.addEventListener('blur', () => leave(true));
  input.addEventListener('change', () => { if (type === 3) leave(true); });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') leave(true);
    if (event.key === 'Escape') leave(false);
  });
}

function confirmed(text) {
  if (text === '') return Promise.resolve(true);
  const [title, detail] = JSON.parse(text);
  const dialog = document.querySelector('dialog');
  dialog.querySelector('h3').textContent = title.content;
  dialog.querySelector('p').textContent = detail.content;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

async function press(button) {
  if (!(await confirmed(button.dataset.confirm))) return;
  const form = button.closest('.form');
  const inputs = form === null ? [] : [...form.querySelectorAll('input')];
  const formValue = Object.fromEntries(inputs.map((input) => [input.name, input.value]));
  const message = button.closest('article').dataset.message;
  const value = JSON.parse(button.dataset.value);
  for (const input of inputs) input.value = '';
  await act('press', { message, value, name: button.dataset.name, formValue });
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  const cell = event.target.closest('td');
  if (button && button.classList.contains('press')) void press(button);
  else if (button && button.classList.contains('add-row')) {
    void act('add-row', { table: button.closest('section').dataset.table });
  } else if (button && button.classList.contains('delete-row')) {
    const record = button.closest('tr').dataset.record;
    void act('delete-row', { table: button.closest('section').dataset.table, record });
  } else if (cell && cell.dataset.column) edit(cell);
});

const failed = () => toast('error', '模拟器没有响应');
async function loop() {
  await refresh().catch(failed);
  setTimeout(loop, REFRESH_MS);
}
void loop();
`;
