package schedule

// A Difference is a text that this package deliberately does not treat as
// Agenda 6.2.6 does.
type Difference struct {
	// Field is what the text is given for: "repeatInterval", "repeatAt",
	// "repeatTimezone", "skipDays", "when" or "processEvery".
	Field string
	// Input is the text, exactly. It stands for its kind.
	Input string
	// Agenda is what Agenda 6.2.6 makes of it.
	Agenda string
	// Here is what this package makes of it: [Refused], or a value.
	Here string
	// Reason says why Agenda's answer is not one to keep.
	Reason string
}

// Refused is the Here of a text that is answered with a *SyntaxError.
const Refused = "refused"

// Reasons that several differences share.
const (
	hotLoop  = "runs the job again at once, without end"
	dropped  = "a part of the text is dropped, so the job runs at another rhythm than it says"
	noWord   = "a word is not understood and skipped, and the rest means now"
	year2001 = "JavaScript's Date takes any text before a small number for a month of 2001, so the job is overdue and runs at once"
	isOver   = "the time is over, so the job runs at once instead of when it is next that time"
	fraction = "a fraction is misread"
)

// Differences lists every deliberate difference from Agenda 6.2.6. All other
// texts give the same instant or fail in both. Agenda's column is measured.
//
// Examples of "when" are said on Wednesday 2024-01-17 at 10:20:30.456 UTC unless
// they name another moment.
var Differences = append(append(append(append([]Difference(nil),
	intervalDifferences...), whenDifferences...), repeatAtDifferences...), zoneDifferences...)

var intervalDifferences = []Difference{
	{"repeatInterval", "a minute", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "every minute", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "next minute", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "every 5 minutes", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "in 10 minutes", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "half an hour", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "half a day", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "minus 2 minutes", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "-2 minutes", "every -120000 ms", Refused, hotLoop},
	{"repeatInterval", "0 seconds", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "0", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "0.5", "every 0.5 ms, which is 0", Refused, hotLoop},
	{"repeatInterval", "mondays", "every 0 ms", Refused, hotLoop},
	{"repeatInterval", "0 12 * * monday", "every 0 ms: not cron, but it contains the unit day", Refused, hotLoop},
	{"repeatInterval", "30 9 * * monday", "every 30 days", Refused, dropped},
	{"repeatInterval", "@weekdays", "every 8 days: it contains the units week and day", Refused, dropped},
	{"repeatInterval", "@weekends", "every 7 days: it contains the unit week", Refused, dropped},
	{"repeatInterval", "1 weekday", "every 8 days", Refused, dropped},
	{"repeatInterval", "100 milliseconds", "every 100 seconds", Refused, dropped},
	{"repeatInterval", "1,000 seconds", "every second", Refused, dropped},
	{"repeatInterval", "ten thousand seconds", "every 10 seconds", Refused, dropped},
	{"repeatInterval", "two thousand three hundred seconds", "every 600 seconds", Refused, dropped},
	{"repeatInterval", "12 hours 5", "every 12 hours", Refused, dropped},
	{"repeatInterval", "1 second 500", "every second", Refused, dropped},
	{"repeatInterval", "1.2.3 seconds", "every 1.2 seconds", Refused, dropped},
	{"repeatInterval", "1 day.hour", "every day", Refused, dropped},
	{"repeatInterval", "1/2 hour", "every hour", Refused, fraction},
	{"repeatInterval", "two and a half hours", "every 2 hours", Refused, fraction},
	{"repeatInterval", "one point one zero seconds", "every 1.01 seconds", Refused, fraction},
	{"repeatInterval", "1 and 1/2 hours", "every hour", Refused, fraction},
	{"repeatInterval", "3 minutes ago", "every 3 minutes", Refused, dropped},
	{"repeatInterval", "one million seconds", "every 1000000 seconds, which is right", Refused, "number words are read below a thousand: above it most are misread there, and nobody remembers which"},
	{"repeatInterval", "5_minutes", "every 5 minutes, which is right", Refused, "an unusual character more likely means damaged text; parts are separated by spaces, commas, + or &"},
	{"repeatInterval", "* * * * * * monday", "every 0 ms: not cron, but it contains the unit day", Refused, hotLoop},
	{"repeatInterval", "0 25 * * monday", "every 0 ms: not cron, but it contains the unit day", Refused, hotLoop},
	{"repeatInterval", "-5 * * * monday", "every -5 days: not cron, but it contains the unit day", Refused, hotLoop},
	{"repeatInterval", "0, 12, *, *, monday", "every 0 ms: not cron, but it contains the unit day", Refused, hotLoop},
	{"repeatInterval", "0 0 1,1 * monday", "every 0 ms: not cron, but it contains the unit day", Refused, hotLoop},
	{"repeatInterval", "0x10", "every 16 ms", Refused, "nobody writes milliseconds in base 16; more likely the text is damaged"},
	{"repeatInterval", "300 years", "every 300 years", Refused, "longer than 292 years, which a time.Duration holds"},
	{"repeatInterval", "H * * * *", "a minute drawn at random for each run", Refused, "the distance between two runs is then random too"},
	{"repeatInterval", "0 0 1 jan1 *", "every 1 November: jan is replaced by 1 inside the number", Refused, "a name stands for a value, not for a digit"},

	{"processEvery", "foo", "every 5 seconds", Refused, "a setting that cannot be read would silently not apply"},
	{"processEvery", "1s", "every 5 seconds", Refused, "a setting that cannot be read would silently not apply"},
	{"processEvery", "0 seconds", "every 5 seconds", Refused, "a setting that cannot be read would silently not apply"},
	{"processEvery", "0", "every 0 ms", Refused, "polls the database without pause"},
	{"processEvery", "5000", "every 5 seconds, because text is never a number there", "every 5000 ms", "a setting comes as text; digits alone are milliseconds, as in repeatInterval"},
	{"processEvery", "60", "every 5 seconds, because text is never a number there", "every 60 ms", "a setting comes as text; digits alone are milliseconds, as in repeatInterval"},

	{"skipDays", "10 days", "null, so the job ends: the text of Agenda 4 and 5 is read as a list of seven days", "no day is skipped", "that text has no weekdays; the field takes them as numbers only"},
	{"skipDays", "0,6 across a clock change", "02:30 moved over a Sunday without 02:30 runs on Monday at 03:30", "runs on Monday at 02:30", "the clock change is over by then"},
}

var repeatAtDifferences = []Difference{
	{"repeatAt", "9am", "null when computed within that second, and the same moment again up to a minute after it", "9:00 of the next day", "the job dies or " + hotLoop},
	{"repeatAt", "3:30pm", "15:30 in the zone of the process, whatever repeatTimezone says", "15:30 in repeatTimezone", "the zone of a job is stored with it"},
	{"repeatAt", "15th of march at 5pm", "the moment already past, after it", Refused, "it happens once; a yearly job is a cron expression"},
	{"repeatAt", "now", "null: now is taken for an unreadable text", Refused, "it has no next time"},
	{"repeatAt", "foo", "null: the text is unreadable", Refused, "same, with the reason"},
}

var zoneDifferences = []Difference{
	{"repeatTimezone", "", "null: no zone has that name", "as if none were given", "nothing is no name, and the job would end"},
	{"repeatTimezone", "local", "the zone of the process", Refused, "the answer would depend on the machine"},
	{"repeatTimezone", "UTC+25", "25 hours ahead of UTC", Refused, "no clock is set to it; more likely the text is damaged"},
	{"repeatTimezone", "Australia/Lord_Howe", "throws or skips the day when clocks move by half an hour", "02:00, which is skipped, runs at 02:30; a repeated time runs once", "a job must not stop for a clock change"},
	{"repeatTimezone", "Pacific/Chatham", "loses ticks and hours when clocks change at 02:45", "02:50, which is skipped, runs at 03:50; hourly jobs run each hour", "a job must not stop for a clock change"},
	{"repeatTimezone", "America/Nuuk", "skips the day on which 23:00 becomes 00:00", "23:30, which is skipped, runs at 00:30; the rest of the day runs", "a job must not stop for a clock change"},
	{"repeatTimezone", "Antarctica/Troll", "runs twice when two hours are repeated", "runs once", "a repeated time runs once in every other zone"},
	{"repeatTimezone", "America/New_York", "01:30 runs again after a run that came late, in the second hour from 01:00 of the night that has two", "the next day", "a repeated time runs once, also when its run comes late or is repeated"},
	{"repeatTimezone", "America/Havana", "runs at the second 00:30 of the night that has two, and loses an hour of \"* * * * 0\"", "runs at the first; the hour runs", "a repeated time runs at its first showing in every other zone"},
}
