package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// All times are the server's, and while nobody knows that nothing is leased.
var clocks = []mutation.Mutation{
	{
		Name: "clock-anchor", Removes: "The server's time goes on by the time of day of this machine.",
		In: database, Edits: edit("ServerClock.Now", `return c.trusted.Load().time(c.read().Elapsed)`, `m, now := c.trusted.Load(), c.read()
			return m.zero.Add(m.at).Add(now.Wall.Sub(c.seen.Wall))`),
		Tests: []string{"TestTheTimeOfDayIsSet"},
	},
	{
		Name: "clock-apart", Removes: "Nobody notices that the clocks of this machine went apart.",
		In: database, Edits: edit("ServerClock.compare", `by.Abs() <= clockTolerance`, `by.Abs() >= 0`),
		Tests: []string{"TestTheTimeOfDayIsSet", "TestTheMachineSleeps"},
	},
	{
		Name: "clock-contradicted", Removes: "A measure that contradicts the time is believed at once.",
		In: database, Edits: edit("ServerClock.take", `case m.contradicts(*trusted):`, `case false:`),
		Tests: []string{"TestTheServersClockIsSet"},
	},
	{
		Name: "clock-twice", Removes: "In doubt one measure is enough.",
		In: database, Edits: edit("ServerClock.take", `!m.contradicts(*before)`, `before.at >= 0`),
		Tests: []string{"TestTheServersClockWanders"},
	},
	{
		Name: "clock-lease", Removes: "Jobs are leased by a clock in doubt.",
		In: worker, Edits: edit("timekeeper.mayLease", `!k.options.Server.Agrees()`, `false`),
		Tests: []string{"TestNothingIsLeasedByAClockInDoubt"},
	},
	{
		Name: "clock-corrected", Removes: "After a correction of the clock locks expire at once that are not too old.",
		In: worker, Edits: edit("timekeeper.mayLease", `if expired && `, `if false && `),
		Tests: []string{"TestNoLockExpiresByACorrectionOfTheClock"},
	},
}
