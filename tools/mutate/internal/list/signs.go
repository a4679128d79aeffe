package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// The signs of life: who is dead loses its leases, who lives keeps them, and who
// is not heard ends its handlers in time.
var signs = []mutation.Mutation{
	{
		Name: "beat-before-claim", Removes: "Jobs are claimed before the peers know that this worker is busy.",
		In: worker, Edits: edit("presence.beforeClaim", `if err := p.declareBusy(ctx); err != nil { return err }`, `_ = ctx`),
		Tests: []string{"TestNothingIsClaimedBeforeThePeersKnow"},
	},
	{
		Name: "second-look", Removes: "A peer is dead at the first look that finds it expired.",
		In: worker, Edits: edit("suspicion.sure", `now.Sub(s.since) >= s.need`, `!now.IsZero()`),
		Tests: silence("nothing is in the way"),
	},
	{
		Name: "suspicion-failures", Removes: "Silence counts while the watcher's own calls fail.",
		In: worker, Edits: edit("watch.ownCall", `err != nil && !errors.Is(err, context.Canceled)`, `errors.Is(err, context.Canceled)`),
		Tests: silence("own calls fail"),
	},
	{
		Name: "suspicion-slow", Removes: "Silence counts while the watcher's own calls are slow.",
		In: worker, Edits: edit("watch.ownCall", `|| took > w.presence.beats.slow()`, `|| took < 0`),
		Tests: silence("an own call is slow"),
	},
	{
		Name: "suspicion-sleep", Removes: "Silence counts while the watcher itself sleeps.",
		In: worker, Edits: edit("watch.suspect", `s.since = now`, ``),
		Tests: silence("the watcher sleeps"),
	},
	{
		Name: "suspicion-renewed", Removes: "Leases that are renewed are no sign of life.",
		In: worker, Edits: edit("watch.release", `w.options.Server.Now().Add(-span - max(span, w.presence.beats.Confirm))`, `time.Time{}.Add(0 * span)`),
		Tests: []string{"TestAPeerThatRenewsItsLeasesIsSpared"},
	},
	{
		Name: "reach", Removes: "The handlers of a worker that is not heard go on.",
		In: worker, Edits: edit("reach.cutOff", `t.end(ErrUnreachable)`, `_ = t`),
		Tests: []string{"TestHandlersOfAWorkerThatIsNotHeardAreTold"},
	},
	{
		Name: "dead-name", Removes: "A worker that peers took for dead goes on under its former name.",
		In: worker, Edits: edit("presence.rise", `if err := p.register(ctx); err != nil { return err }`, `_ = ctx`),
		Tests: []string{"TestDeclaredDead"},
	},
	{
		Name: "dead-doubt", Removes: "What it leased before it knew of its death stays locked.",
		In: worker, Edits: edit("presence.rise", `p.fetcher.doubt(former)`, ``),
		Tests: []string{"TestDeclaredDead"},
	},
	{
		Name: "dead-beat", Removes: "A worker that was buried is not told.",
		In: fleet, Edits: edit("Registry.Beat", `result.MatchedCount == 0`, `result.MatchedCount < 0`),
		Tests: []string{"TestBeatOfTheBuried"},
	},
	{
		Name: "bury-seen", Removes: "A peer that was heard since the look is buried.",
		In: fleet, Edits: edit("Registry.Bury", `{Key: "seenAt", Value: dead.SeenAt},`, ``),
		Tests: []string{"TestBury"},
	},
	{
		Name: "bury-expired", Removes: "A peer is buried before its expiry.",
		In: fleet, Edits: edit("Registry.Bury", `bson.D{{Key: "$lte", Value: r.now()}}`, `bson.D{{Key: "$lte", Value: r.now().Add(time.Hour)}}`),
		Tests: []string{"TestBury"},
	},
}

// silence names cases of the test of a watcher.
func silence(title string) []string {
	return []string{"TestSilenceIsDeathOnlyWhileTheDatabaseAnswers/" + title}
}
