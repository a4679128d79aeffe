package schedule

var whenDifferences = []Difference{
	// A number without am, pm or minutes.
	{"when", "at 5", "2001-05-01", Refused, year2001},
	{"when", "tomorrow at 5", "2001-05-01", Refused, year2001},
	{"when", "tomorrow night at 9", "2001-09-01", Refused, year2001},
	{"when", "tomorrow evening at 8", "2001-08-01", Refused, year2001},
	{"when", "tonight at 8", "2001-08-01", Refused, year2001},
	{"when", "this morning at 9", "2001-09-01", Refused, year2001},
	{"when", "this afternoon at 3", "2001-03-01", Refused, year2001},
	{"when", "monday at 9", "2001-09-01", Refused, year2001},
	{"when", "january 5", "2001-01-05", Refused, year2001},
	{"when", "15 march", "2001-03-15", Refused, year2001},
	{"when", "12/25", "2001-12-25", Refused, year2001},

	// What is not a single time.
	{"when", "0 9 * * *", "2000-09-01", Refused, "it is a cron expression, read as a date"},
	{"when", "*/5 * * * *", "2001-05-01", Refused, "it is a cron expression, read as a date"},
	{"when", "@daily", "now", Refused, "it is a cron expression, read as now"},
	{"when", "every 5 minutes", "in 5 minutes, once", Refused, "it asks for many runs"},
	{"when", "every day at 5pm", "today at 17:00, once", Refused, "it asks for many runs"},

	// What is read as now.
	{"when", "", "now", Refused, "nothing is not a time; callers that default to now do so themselves"},
	{"when", "foo bar", "now", Refused, noWord},
	{"when", "asap", "now", Refused, noWord},
	{"when", "immediately", "now", Refused, noWord},
	{"when", "eod", "now", Refused, noWord},
	{"when", "end of month", "now", Refused, noWord},
	{"when", "march 3rd", "now", Refused, noWord},
	{"when", "saturdays", "now", Refused, noWord},
	{"when", "tomorow", "now", Refused, noWord},
	{"when", "later", "now", Refused, noWord},
	{"when", "minute", "now", Refused, noWord},
	{"when", "today", "now", Refused, "it names no time of day"},
	{"when", "tonight", "now", Refused, "it names no time of day"},
	{"when", "in a second", "now", Refused, "the word second is taken for the number two"},
	{"when", "next second", "now", Refused, "the word second is taken for the number two"},
	{"when", "in forty minutes", "now", Refused, noWord},
	{"when", "in twenty-five minutes", "now", Refused, noWord},
	{"when", "25/12/2024", "now", Refused, "dates in figures are month first"},
	{"when", "next wednesday", "now, on a Wednesday", Refused, "it means the Wednesday after"},
	{"when", "1706778000", "tomorrow at 06:20", Refused, "seconds are not milliseconds"},
	{"when", "1706778000000", "tomorrow at 00:00", "2024-02-01T09:00:00.000Z", "text of that many digits is epoch milliseconds, which Agenda takes as a number only"},
	{"when", "2024", "2024-01-01", Refused, "a year is not a day; more likely the number is damaged"},

	// What is read as another time.
	{"when", "day after tomorrow", "tomorrow", Refused, dropped},
	{"when", "the day after tomorrow", "tomorrow", Refused, dropped},
	{"when", "next week tuesday", "the Tuesday of the week after next", Refused, "a week and a weekday are added up"},
	{"when", "half an hour from now", "tomorrow at 00:05", Refused, fraction},
	{"when", "in 1.5 hours", "tomorrow at 01:05", Refused, fraction},
	{"when", "2 hours before noon", "at noon", Refused, dropped},
	{"when", "10 minutes after 5pm", "17:30", Refused, "two numbers are joined wrongly"},
	{"when", "in 5 minutes and 10 seconds", "in 15 minutes", Refused, "the second unit is lost behind minutes"},
	{"when", "1 day 2 hours 3 minutes", "in 4 days and 2 hours", Refused, "the third unit is lost"},
	{"when", "2 days ago at 5pm", "in 2 days at 17:00", Refused, dropped},
	{"when", "5:30:10 pm", "22:30", Refused, "seconds are misread"},
	{"when", "17:30:45", "17:30:00", Refused, "seconds are dropped"},
	{"when", "25:00", "tomorrow at 01:00", Refused, "no clock shows it"},
	{"when", "13pm", "13:00", Refused, "no clock shows it"},
	{"when", "2024-02-30", "2024-03-01", Refused, "no calendar has it"},
	{"when", "Fri, 01 Feb 2024 09:00:00 GMT", "Thursday 2024-02-01 09:00", Refused, "weekday and date contradict each other"},
	{"when", "31st of february", "2024-03-02", Refused, "no calendar has it"},

	// What is over.
	{"when", "1st of january", "2024-01-01, overdue", Refused, isOver},
	{"when", "this morning", "tomorrow at 08:00", Refused, "tomorrow is not this morning"},
	{"when", "today at 9am", "tomorrow at 09:00", Refused, "tomorrow is not today"},

	// What is read rightly here.
	{"when", "Wednesday at 9am", "Thursday at 09:00: a capital hides the weekday when the day is over", "Wednesday next week at 09:00", "capitals do not change the meaning"},
	{"when", "5 Minutes Ago", "tomorrow, less 5 minutes: a capital hides the word ago", "5 minutes ago", "capitals do not change the meaning"},
	{"when", "12th of october at 9pm", "now, for many days up to the 12th with am or pm", "2024-10-12 21:00", "two numbers are joined wrongly"},
	{"when", "10th november", "10 December, said on 31 August", "10 November", "the day of now overflows the shorter month"},
	{"when", "9am", "10:00, the day clocks go forward", "09:00", "a day is not always 24 hours"},
	{"when", "tomorrow at 9am", "the day after tomorrow, said at 23:30 before a night of 23 hours", "tomorrow", "a day is not always 24 hours"},
}
