// Writes ../cron.json: what cron-parser computes for expressions over several
// zones, with starts near their clock changes. Agenda parses the expression
// afresh for each run, so each tick is the first one of a new parser.
//
//   npm install && node cron.mjs [cases] [seed] > ../cron.json
import { CronExpressionParser } from 'cron-parser';
import { chooser } from './chooser.mjs';

const cases = Number(process.argv[2] ?? 1600);
const { pick, int, chance } = chooser(Number(process.argv[3] ?? 1));
const TICKS = 3;

// A zone and instants of its clock changes (or of nothing at all).
const zones = {
  'UTC': ['2024-02-28T22:00:00Z', '2023-12-31T20:00:00Z'],
  'Asia/Ho_Chi_Minh': ['2024-01-31T15:00:00Z'],
  'Asia/Kathmandu': ['2024-05-31T10:00:00Z'],
  'UTC+3': ['2024-06-30T20:00:00Z'],
  'America/New_York': ['2024-03-10T07:00:00Z', '2024-11-03T06:00:00Z'],
  'Europe/Berlin': ['2024-03-31T01:00:00Z', '2024-10-27T01:00:00Z'],
  'Europe/London': ['2025-03-30T01:00:00Z', '2025-10-26T01:00:00Z'],
  'Australia/Sydney': ['2024-10-05T16:00:00Z', '2024-04-06T16:00:00Z'],
  'America/Sao_Paulo': ['2018-11-04T03:00:00Z', '2018-02-18T02:00:00Z'],
  'Africa/Cairo': ['2024-04-25T22:00:00Z', '2024-10-31T21:00:00Z'],
  'America/Havana': ['2024-03-10T05:00:00Z'], // its autumn night differs
  'America/Santiago': ['2024-09-08T04:00:00Z', '2024-04-07T03:00:00Z'],
  'America/St_Johns': ['2024-03-10T05:30:00Z', '2024-11-03T04:30:00Z'],
};

const hand = [
  '* * * * *', '*/5 * * * *', '*/10 * * * * *', '0 * * * *', '30 * * * *', '0 9 * * *', '30 2 * * *',
  '30 1 * * *', '0 2 * * 0', '0 0 * * *', '*/15 2 * * *', '*/30 1 * * *', '0 0 31 * *', '0 0 29 2 *',
  '0 0 L * *', '0 0 15,L * *', '0 0 * * 5L', '0 0 * * 1#2', '0 0 * * fri#5', '0 0 13 * 5', '0 0 */2 * 1',
  '0 0 1 * ?', '? * * * *', '10/20 * * * *', '*/70 * * * *', '0 9 * * 1-5/2', '0 0 * * 5-7', '0 0 * * 7',
  '0 9 * jan-mar mon-fri', '0 9 * JAN,jul SUN', '2 1', '3 2 1', '1 3 2 1', '@daily', '@annually',
  '0 0 31 4,5 *', '0 12 28-31 2 *', '0 0 30 2 1', '0 1,2,3 * * *', '15 0,23 * * *', '59 59 23 31 12 *',
  // refused
  '0 0 30 2 *', '0 0 31 4 *', '*/0 * * * *', '60 * * * *', '0 24 * * *', '0 22-2 * * *', '0 0 LW * *',
  '0 0 L-3 * *', '0 0 * * L', '*-5 * * * *', '0 0 1 january *', '0 0 * * monday', '0 0 * * 0,7', '1,1 * * * *',
  '0 0 * * 1#6', '0 0 * * 1,2#1', '0 0 * * 8L', '0 0 0 1 1 * 2025', '@reboot', '@midnight', '5- * * * *',
  '1,,2 * * * *', '1/2/3 * * * *', '-5 * * * *', '0 0 0 * *', '0 0 32 * *', '0 0 * 13 *', '5 MINUTES',
];

const value = (min, max) => int(min, max);
function field(min, max, extra = []) {
  const kind = int(0, 9);
  if (kind < 3) return '*';
  if (kind < 6) return String(value(min, max));
  if (kind === 6) return `*/${int(1, Math.max(2, Math.floor(max / 2)))}`;
  if (kind === 7) { const a = value(min, max), b = value(min, max); return `${Math.min(a, b)}-${Math.max(a, b)}`; }
  if (kind === 8) return [...new Set([value(min, max), value(min, max), value(min, max)])].join(',');
  return extra.length ? pick(extra) : `${value(min, max)}/${int(1, 20)}`;
}
function expression() {
  if (chance(0.15)) return pick(hand);
  const days = ['L', '15,L', '1-7', '?'], weekdays = ['5L', '1#2', '0#1', 'mon-fri', 'sun', '7', '5-7', '6L,1', '?', '*#2'];
  const parts = [field(0, 59), chance(0.6) ? pick(['0', '1', '2', '3', '23', '0,1', '1,2', '2,3', '0-3', '22-23', '*']) : field(0, 23),
    chance(0.6) ? '*' : field(1, 31, days), chance(0.8) ? '*' : field(1, 12, ['jan', 'mar-may', 'OCT']),
    chance(0.6) ? '*' : field(0, 7, weekdays)];
  if (chance(0.2)) parts.unshift(field(0, 59));
  return parts.join(' ');
}

function next(expr, tz, from) {
  return CronExpressionParser.parse(expr, { currentDate: from, tz }).next().toDate();
}

const rows = [];
for (let i = 0; i < cases; i++) {
  const expr = i < hand.length ? hand[i] : expression();
  const zone = pick(Object.keys(zones));
  const from = new Date(Date.parse(pick(zones[zone])) + int(-30, 30) * 6 * 60_000 * (chance(0.5) ? 1 : 10) + pick([0, 0, 1, 500, 30_000]));
  const ticks = [];
  try {
    for (let at = from; ticks.length < TICKS; ticks.push(at.getTime() / 1000)) at = next(expr, zone, at);
  } catch { /* refused, or no tick */ }
  rows.push([expr, zone, from.getTime(), ticks]);
}
console.log('[\n' + rows.map((row) => JSON.stringify(row)).join(',\n') + '\n]');
