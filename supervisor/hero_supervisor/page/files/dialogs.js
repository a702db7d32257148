// Questions before something is stopped, repeated or deleted. Each names the act, its target and the number of jobs, and
// Cancel is what has the focus at first.

import {count, counted} from './format.js';

/** Ask before something is destroyed or stopped; resolves to yes or no. */
export async function ask(question, act) {
  const dialog = new Question(act);
  dialog.text.textContent = question;
  return (await dialog.answer()) !== null;
}

/**
 * Ask before many jobs are acted on, and for a reason, which is recorded; resolves to the reason, or to null for no.
 *
 * `counting` counts what a filter matches while the question is shown: it yields {found, looked, total}. Until it has
 * ended, only Cancel can be pressed.
 */
export async function askMany({verb, what, number = null, counting = null}) {
  const dialog = new Question(verb);
  const reason = dialog.addField('Reason, which is recorded');
  if (counting === null) dialog.text.textContent = `${verb} ${counted(number, 'job')}${what}?`;
  else follow(dialog, verb, what, counting);
  const given = await dialog.answer();
  return given === null ? null : reason.value.trim() || 'no reason was given on the page';
}

async function follow(dialog, verb, what, counting) {
  dialog.yes.disabled = true;
  dialog.text.textContent = `Counting the jobs${what}…`;
  let found = 0;
  try {
    for await (const seen of counting) {
      if (dialog.closed) return;
      found = seen.found;
      const share = seen.total > seen.looked ? ` (${count(seen.looked)} of ${count(seen.total)} keys looked at)` : '';
      dialog.text.textContent = `Counting the jobs${what}: ${count(found)} so far${share}…`;
    }
  } catch (error) {
    dialog.text.textContent = `They cannot be counted: ${error.message}`;
    return;
  }
  dialog.text.textContent = found ? `${verb} ${counted(found, 'job')}${what}?` : `No job${what} can be acted on like this.`;
  dialog.yes.disabled = !found;
}

class Question {
  constructor(act) {
    this.closed = false;
    this.element = document.createElement('dialog');
    this.element.setAttribute('aria-labelledby', 'question');
    this.form = document.createElement('form');
    this.form.method = 'dialog';
    this.text = document.createElement('p');
    this.text.id = 'question';
    const row = document.createElement('div');
    row.className = 'row';
    const cancel = button('Cancel', '');
    // Enter in the field must not press the first button of the form, which is Cancel.
    cancel.type = 'button';
    cancel.addEventListener('click', () => this.element.close(''));
    this.yes = button(act, 'yes');
    this.yes.className = 'danger';
    row.append(cancel, this.yes);
    this.form.append(this.text, row);
    this.element.append(this.form);
    this.cancel = cancel;
  }

  addField(label) {
    const wrapped = document.createElement('label');
    const input = document.createElement('input');
    input.maxLength = 500;
    input.autocomplete = 'off';
    wrapped.append(label, input);
    this.text.after(wrapped);
    return input;
  }

  /** Show it; resolves to 'yes', or to null when it was cancelled. */
  answer() {
    const before = document.activeElement;
    document.body.append(this.element);
    this.element.showModal();
    this.cancel.focus();
    return new Promise((resolve) => {
      this.element.addEventListener('close', () => {
        this.closed = true;
        this.element.remove();
        before?.focus?.();
        resolve(this.element.returnValue || null);
      });
    });
  }
}

function button(label, value) {
  const made = document.createElement('button');
  made.textContent = label;
  made.value = value;
  return made;
}
