// A value in JSON as a tree that is opened level by level. Numbers keep their digits, because they stay text.

import {html, nothing} from './vendor/lit-html/lit-html.js';
import {count, jsonTokens} from './format.js';

const CHILDREN_A_STEP = 100;
const OPEN_DEPTH = 2;
const OPEN_CHILDREN = 20;

export class Tree {
  #page;
  #text = null;
  #root = null;
  #opened = new Map(); // node -> whether a person has opened or closed it
  #steps = new Map(); // node -> how many of its children are shown

  constructor(page) {
    this.#page = page;
  }

  /** The tree of a JSON text; null if it is no JSON, or only one value. */
  of(text) {
    if (text !== this.#text) {
      this.#text = text;
      this.#root = parsed(text);
    }
    return this.#root?.children ? html`<div class="tree">${this.#node(this.#root, null, 0)}</div>` : null;
  }

  #node(node, name, depth) {
    const label = name === null ? nothing : html`<span class="key">${name}</span>: `;
    if (!node.children) return html`<div class="leaf">${label}<span class=${node.kind}>${node.raw}</span></div>`;
    const open = this.#opened.get(node) ?? (depth < OPEN_DEPTH && node.children.length <= OPEN_CHILDREN);
    const shown = this.#steps.get(node) ?? CHILDREN_A_STEP;
    const more = node.children.length - shown;
    return html`<details ?open=${open} @toggle=${(e) => this.#toggle(e, node, open)}>
      <summary>${label}<span class="quiet">${node.kind === 'list' ? `[${count(node.children.length)}]` : `{${count(node.children.length)}}`}</span></summary>
      ${open ? node.children.slice(0, shown).map(([key, child]) => this.#node(child, key, depth + 1)) : nothing}
      ${open && more > 0 ? html`<button @click=${() => this.#more(node, shown)}>${count(Math.min(more, CHILDREN_A_STEP))} more of ${count(more)}</button>` : nothing}
    </details>`;
  }

  #toggle(event, node, was) {
    event.stopPropagation();
    if (event.target.open === was) return;
    this.#opened.set(node, event.target.open);
    this.#page.update();
  }

  #more(node, shown) {
    this.#steps.set(node, shown + CHILDREN_A_STEP);
    this.#page.update();
  }
}

/** The nodes of a JSON text: {kind, raw} or {kind, children: [[name, node]]}; null if it is no JSON. */
function parsed(text) {
  const tokens = jsonTokens(text);
  if (tokens === null) return null;
  const top = {kind: 'list', children: []};
  const stack = [top];
  let name = null;
  for (const [i, token] of tokens.entries()) {
    const parent = stack.at(-1);
    if (token === ',' || token === ':') continue;
    if (token === '}' || token === ']') {
      stack.pop();
      continue;
    }
    if (parent.kind === 'object' && name === null && tokens[i + 1] === ':') {
      name = JSON.parse(token);
      continue;
    }
    const node = token === '{' ? {kind: 'object', children: []} : token === '[' ? {kind: 'list', children: []} : {kind: token[0] === '"' ? 'text' : 'word', raw: token};
    parent.children.push([parent.kind === 'object' ? name : parent.children.length, node]);
    name = null;
    if (node.children) stack.push(node);
  }
  return top.children[0][1];
}
