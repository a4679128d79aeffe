// Writes ../stored.json: what real Agenda 6.2.6 and 5.0.0 plan after a run, for
// intervals that nobody should write and documents may hold:
// [repeatInterval, repeatTimezone, last run, next run in 6 or null, in 5 or null].
//
//   npm install && TZ=UTC node stored.mjs [cases] [seed] > ../stored.json
import { createRequire } from 'node:module';
import { computeFromInterval } from './node_modules/agenda/dist/utils/nextRunAt.js';
import { chooser } from './chooser.mjs';

const { computeNextRunAt } = createRequire(import.meta.url)('./node_modules/agenda5/dist/job/compute-next-run-at.js');
const cases = Number(process.argv[2] ?? 900);
const { pick, int, chance } = chooser(Number(process.argv[3] ?? 4));
const last = Date.parse('2024-01-17T10:20:30.456Z'); // no clock changes in the weeks ahead

const units = ['second', 'minute', 'hour', 'day', 'week', 'month', 'year'];
const words = ['zero', 'one', 'two', 'three', 'seven', 'ten', 'twelve', 'nineteen', 'twenty', 'thirty', 'ninety', 'hundred', 'thousand',
  'million', 'billion', 'nil', 'naught', 'point', 'period', 'decimal', 'negative', 'minus', 'and', 'a', 'an', 'half', 'quarter', 'every',
  'in', 'about', 'ago', 'from now', 'mon', 'sunday', 'weekday', 'milli', 'x'];
const number = () => pick([() => String(int(0, 90)), () => (int(1, 50) / 4).toString(), () => String(-int(1, 9)), () => `${int(1, 9)},000`,
  () => `1/${int(2, 4)}`, () => '1e3', () => `${int(1, 3)}.${int(0, 9)}.${int(0, 9)}`, () => `.${int(1, 9)}`, () => `${int(1, 9)}.`])();

function human() {
  const text = [];
  for (let n = int(1, 3); n > 0; n--) {
    for (let w = int(0, 4); w > 0; w--) text.push(chance(0.7) ? pick(words) : number());
    if (chance(0.9)) text.push(pick(units) + (chance(0.5) ? 's' : ''));
  }
  if (chance(0.2)) text.push(pick([...words, '5', '.', '500', 'Day']));
  return text.join(pick([' ', ' ', ' ', '_', '-', ', ', '']));
}
function fieldOf(min, max, names) {
  const value = () => (names && chance(0.4) ? pick(names) : String(int(min, max)));
  return pick([() => '*', () => '*', value, value, () => `${value()},${value()},${value()}`, () => `${int(min, min + 2)}-${int(min + 2, max)}`,
    () => `*/${int(1, 9)}`, () => '?', () => `${value()}${int(0, 2)}`, () => `${int(min, max)},${int(min, max)},*`, () => '*-5', () => '-5'])();
}
function cron() {
  const months = ['jan', 'FEB', 'mar', 'nov', 'dec', 'monday', 'january'], days = ['sun', 'mon', 'Fri', 'sat', '0', '7', '0,7', '5-7,0', '1#2', '5L', 'L'];
  const fields = [fieldOf(0, 59), fieldOf(0, 23), chance(0.2) ? 'L' : fieldOf(1, 28), fieldOf(1, 12, months), chance(0.4) ? pick(days) : fieldOf(0, 7, days)];
  if (chance(0.2)) fields.unshift(fieldOf(0, 59));
  if (chance(0.1)) fields.length = int(1, 4);
  return fields.join(' ');
}
const odd = ['0x10', '0X1f', '0b11', '0o17', '0x', '-5', '-0', '0', '0.5', '1.5', '1e3', '+7', ' 5 ', 'Infinity', 'NaN', '1_000', '9e15', '8.63e15', '300 years',
  '9000 years', '200000 years', '@secondly', '@minutely', '@hourly', '@daily', '@weekly', '@monthly', '@yearly', '@annually', '@weekdays',
  '@weekends', '@midnight', '@reboot', '@Daily', 'foo', ' ', '5_minutes', 'one million seconds', '3 minutes ago', '1 and 1/2 hours', 'an hour',
  'two and a half hours', '100 milliseconds', '0 12 * * monday', '30 9 * * monday', 'now and then', '5 Minutes', '5 min', '10s', '5 分 minutes'];
const zones = [null, null, null, null, 'UTC', 'UTC+3', 'utc-03:30', 'UTC+25', 'UTC-99:59', 'Asia/Tokyo', 'asia/ho_chi_minh', 'Mars/Base'];
const processZones = ['local', 'system']; // cron-parser 3 knows neither

function next6(repeatInterval, repeatTimezone) {
  try {
    return computeFromInterval({ name: 'x', repeatInterval, repeatTimezone, lastRunAt: new Date(last) })?.valueOf() ?? null;
  } catch {
    return null;
  }
}
function next5(repeatInterval, repeatTimezone) {
  const job = { attrs: { repeatInterval, repeatTimezone, lastRunAt: new Date(last), nextRunAt: new Date(last), skipDays: null }, fail() {} };
  computeNextRunAt.call(job);
  return job.attrs.nextRunAt?.valueOf() ?? null;
}

const error = console.error;
console.error = () => {}; // moment says of an unknown zone that it is one
const rows = new Map();
while (rows.size < cases) {
  const kind = pick([human, human, cron]);
  const text = rows.size < odd.length ? odd[rows.size] : kind();
  const number = Number.isFinite(Number(text)); // Agenda 5 runs a number in every zone, and no text of digits
  const zone = chance(0.7) || number ? null : pick(kind === cron ? zones : [...zones, ...processZones]);
  if (text !== '' && !rows.has(text)) rows.set(text, [text, zone, last, next6(text, zone), next5(text, zone)]);
}
console.error = error;
console.log('[\n' + [...rows.values()].map((row) => JSON.stringify(row)).join(',\n') + '\n]');
