// Writes ../interval.json: [text, milliseconds or null for NaN, well-formed].
// Well-formed texts must be read the same here; the others at most refused.
//
//   npm install && node interval.mjs [cases] [seed] > ../interval.json
import humanInterval from 'human-interval';
import { chooser } from './chooser.mjs';

const cases = Number(process.argv[2] ?? 700);
const { pick, int, chance } = chooser(Number(process.argv[3] ?? 2));
const units = ['second', 'minute', 'hour', 'day', 'week', 'month', 'year'];
const ones = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve',
  'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'];
const tens = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];

function words() {
  const small = () => (chance(0.5) ? pick(ones) : pick(tens) + (chance(0.5) ? pick(['-', ' ']) + pick(ones.slice(0, 9)) : ''));
  const hundreds = () => `${pick(ones.slice(0, 9))} hundred`;
  return pick([small, small, hundreds, () => `${hundreds()} ${pick(['and ', ''])}${small()}`,
    () => `${pick(ones)} point ${pick(ones.slice(0, 9))}`])();
}
function number() {
  return pick([() => String(int(1, 90)), () => String(int(1, 90)), () => (int(1, 50) / 4).toString(), words, () => ''])();
}
function part() {
  const n = number(), unit = pick(units) + (chance(0.6) ? 's' : '');
  return n === '' ? unit : /[0-9]$/.test(n) && chance(0.15) ? n + unit : `${n}${pick([' ', ' ', ' ', '-', '  '])}${unit}`;
}
function wellFormed() {
  const parts = [part()];
  while (parts.length < 3 && chance(0.35)) parts.push(part());
  return parts.reduce((text, next) => `${text}${pick([' ', ', ', ' and ', ' + '])}${next}`);
}
function strange() {
  const junk = ['every', 'a', 'an', 'half', 'in', 'about', '1,000', '1/2', 'milli', 'week', 'thousand', 'minus', '5', 'Day', 'mon', '.', 'x'];
  const text = wellFormed().split(' ');
  text.splice(int(0, text.length), chance(0.5) ? 1 : 0, pick(junk));
  return text.join(pick([' ', ' ', '']));
}

const rows = new Map();
while (rows.size < cases) {
  const sound = chance(0.6), text = sound ? wellFormed() : strange();
  if (Number.isFinite(Number(text))) continue; // milliseconds elsewhere
  if (!rows.has(text)) rows.set(text, [text, humanInterval(text), sound ? 1 : 0]);
}
console.log('[\n' + [...rows.values()].map((row) => JSON.stringify(row)).join(',\n') + '\n]');
