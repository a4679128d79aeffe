// Writes ../when.json: what Agenda's schedule makes of texts, in several process
// zones and at several moments: [{zone, now, rows: [text, epoch ms | null, well-formed]}].
// Well-formed texts must be read the same here; the others at most refused.
//
//   npm install && node when.mjs [cases per group] [seed] > ../when.json
import date from 'date.js';
import { chooser } from './chooser.mjs';

const cases = Number(process.argv[2] ?? 260);
const { pick, int, chance } = chooser(Number(process.argv[3] ?? 3));

// Ordinary moments: no clock change in the weeks ahead, not the 29th to 31st of
// a month (Agenda then misses months). What these change is tested by hand.
const groups = [
  ['UTC', '2024-01-17T10:20:30.456Z'], ['Asia/Ho_Chi_Minh', '2024-02-28T20:05:00.001Z'],
  ['America/New_York', '2024-06-16T03:59:59.999Z'], ['Europe/Berlin', '2025-04-02T08:30:00.000Z'],
  ['Asia/Kathmandu', '2024-08-23T09:14:59.500Z'],
];

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'];
const small = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen',
  'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen', 'twenty', 'thirty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const pad = (n) => String(n).padStart(2, '0');

function amount(units) {
  const unit = pick(units);
  if (chance(0.15) && unit !== 'second') return `${unit === 'hour' ? 'an' : 'a'} ${unit}`;
  const n = chance(0.25) ? pick(small) : int(1, 60);
  return `${n} ${unit}${n === 1 || n === 'one' ? '' : 's'}`;
}
const clock = () => pick([() => `${int(1, 12)}${pick(['am', 'pm'])}`, () => `${int(1, 12)}:${pad(int(0, 59))}${pick(['am', 'pm', ' pm'])}`,
  () => `${int(0, 23)}:${pad(int(0, 59))}`, () => pick(['noon', 'midnight'])])();
const at = () => pick(['', 'at ']);
let today, thisMonth; // as clocks in the zone show them
const otherDay = () => weekdays[(today + int(1, 6)) % 7];
const day = () => pick([() => 'tomorrow', () => 'yesterday', () => pick(weekdays), () => `on ${pick(weekdays)}`, () => `next ${otherDay()}`,
  () => `last ${pick(weekdays)}`, () => `next ${pick(['week', 'month', 'year', 'day'])}`])();
const ordinal = (n) => n + (n > 10 && n < 14 ? 'th' : ['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');

const wellFormed = [
  () => `in ${amount(['seconds', 'minute', 'hour', 'day', 'week', 'month', 'year'])}`.replace('ss', 's'),
  () => `${amount(['minute', 'hour', 'day', 'week', 'month', 'year'])} ${pick(['from now', 'later', 'ago'])}`,
  () => `${int(2, 90)} ${pick(['secs', 'mins', 'min', 'hrs', 'days', 'wks', 'months', 'yrs', 's', 'm', 'h', 'd', 'w', 'y', 'mo'])}`,
  () => `${int(2, 90)}${pick(['s', 'm', 'h', 'd', 'w', 'min', 'hours'])}`,
  () => `${amount(['hour', 'day', 'week'])}${pick([' and ', ' '])}${int(2, 50)} minutes${pick(['', ' from now'])}`,
  () => `${pick(['in ', ''])}${pick(['a day', '3 days', 'two weeks', '12 days', '5 weeks', 'a month', '2 months'])} ${pick(['at ', 'from now at '])}${clock()}`,
  () => `${amount(['hour', 'day', 'week'])} ${pick(['after', 'from'])} tomorrow`,
  () => `${day()} ${at()}${clock()}`, () => `${day()} ${at()}${clock()}`, () => `${at()}${clock()} ${pick(['tomorrow', 'yesterday', pick(weekdays)])}`,
  day, () => at() + clock(), () => `${pick(['tomorrow', 'yesterday', ...weekdays])} ${pick(['morning', 'afternoon', 'evening', 'night'])}`,
  () => `tomorrow morning at ${int(1, 11)}:${pad(int(0, 59))}`, () => `${pick(['tomorrow', 'friday'])} evening at ${int(5, 11)}:${pad(int(0, 59))}`,
  () => (now.getHours() < 17 ? `tonight at ${int(5, 11)}${pick(['pm', ':30'])}` : 'noon tomorrow'), () => pick(['in the morning', 'in the evening', 'morning', 'evening', 'last night', 'now']),
  // Later months only; and no small day with a small hour, where Agenda falls back to now.
  () => `${ordinal(int(13, 28))} ${pick(['of ', ''])}${pick(months.slice(thisMonth + 1))} ${at()}${clock()}`,
  () => `${ordinal(int(1, 28))} ${pick(['of ', ''])}${pick(months.slice(thisMonth + 1))}`,
  () => `${int(2020, 2030)}-${pad(int(1, 12))}-${pad(int(1, 28))}${pick(['', ` ${pad(int(0, 23))}:${pad(int(0, 59))}`, `T${pad(int(0, 23))}:00:0${int(0, 9)}Z`,
    `T0${int(0, 9)}:30:00.${int(1, 999)}+0${int(0, 9)}:00`, `T0${int(0, 9)}:30`, ` 0${int(0, 9)}:30:00 +0700`])}`,
  () => `${int(1, 12)}/${int(1, 28)}/${int(2020, 2030)}${pick(['', ' 9:00', ' 9:05 pm'])}`, () => `${int(2020, 2030)}/${int(1, 12)}/${int(1, 28)}`,
  () => `${int(1, 28)} ${pick(months)} ${int(2020, 2030)}${pick(['', ' 17:00'])}`, () => `${pick(months).slice(0, 3)} ${int(1, 28)}, ${int(2020, 2030)}${pick(['', ' 09:00'])}`,
];
function strange() {
  const junk = ['at', '5', 'half', 'every', 'the', 'after', 'next', 'last', 'ago', 'foo', 'mon', '5pm', 'tomorrow', 'minute', 'at 9', 'monday', '/', '1.5',
    'forty', 'twenty', 'before', 'noon', 'this', 'and', 'seconds', 'week', 'may', 'tonight', '10:15:30', 'of march', 'today'];
  const words = pick(wellFormed)().split(' ');
  words.splice(int(0, words.length), chance(0.5) ? 1 : 0, pick(junk));
  const text = words.join(' ');
  // A small day with a small hour, as above; half a year ahead there are clock changes.
  return /^\d+(st|nd|rd|th).*\d[ap]m|^2\d w/.test(text) ? strange() : text;
}

let now;
function schedule(text) {
  const parsed = new Date(text);
  try {
    const t = Number.isNaN(parsed.getTime()) ? date(text, new Date(now)).getTime() : parsed.getTime();
    return Number.isNaN(t) ? null : t;
  } catch { return null; }
}

const out = groups.map(([zone, moment]) => {
  process.env.TZ = zone;
  now = new Date(moment);
  [today, thisMonth] = [now.getDay(), now.getMonth()];
  const rows = new Map();
  while (rows.size < cases) {
    const sound = chance(0.6), text = sound ? pick(wellFormed)() : strange();
    if (!rows.has(text)) rows.set(text, [text, schedule(text), sound ? 1 : 0]);
  }
  return `{"zone":${JSON.stringify(zone)},"now":${now.getTime()},"rows":[\n${[...rows.values()].map((row) => JSON.stringify(row)).join(',\n')}\n]}`;
});
console.log(`[${out.join(',\n')}]`);
