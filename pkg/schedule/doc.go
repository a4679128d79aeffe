// Package schedule turns the texts of job documents into instants: repeatInterval
// and repeatAt into the next run, the "when" of a single job into its time. All
// of it is pure: an answer depends on the text, the zone and the instant that is
// given, never on the clock or the zone of the process.
//
// The texts mean what Agenda 6.2.6 makes of them, so that Node and Go plan the
// same runs for one document:
//
//   - cron expressions as cron-parser 5.10.5 reads them (cron_parse.go), with its
//     behaviour at clock changes (cron.go);
//   - distances as human-interval 2.0.1 reads them (interval.go);
//   - phrases as date.js 0.3.3 reads them (phrase_parse.go), and dates as
//     JavaScript does (when_instant.go).
//
// Two readers share these grammars. [Parse] is for what is asked for now: where
// Agenda's answer is a defect, such as an endless loop or nonsense taken for
// now, the text is refused or read rightly; [Differences] lists each case with
// its reason. A refusal is a [*SyntaxError]: one sentence that names the field,
// the text, the fault and the mend. [ParseStored] is for documents that are in
// the queue: what Parse refuses goes on at Agenda's own rhythm, where it has one
// (stored.go and its neighbours), and is reported as a problem.
//
// Texts are bounded (MaxTextBytes), and so is the work for each, whatever they
// say. Programs that run where no time zone database is installed import
// time/tzdata.
package schedule
