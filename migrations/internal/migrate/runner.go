package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
)

// DefaultWait is how long Up and Down wait for another process.
const DefaultWait = 10 * time.Minute

// Options configure a Runner. Only Holder is needed.
type Options struct {
	Holder string          // host, process id and release: for those who wait
	Wait   time.Duration   // for another process; 0 = DefaultWait
	Clock  clockwork.Clock // of pauses; nil = the real one
	Log    *slog.Logger    // nil = nothing is logged
	// Tell is called with each step and action; nil = nobody is told.
	Tell func(line string)
}

// Runner carries out steps on one database.
type Runner struct {
	steps   []Step
	target  Target
	records *mongo.Collection
	holder  string
	wait    time.Duration
	clock   clockwork.Clock
	log     *slog.Logger
	tell    func(string)
}

// ErrRefused means that the command cannot be carried out as things are; the
// text says why, and what would help.
var ErrRefused = errors.New("refused")

func refuse(format string, values ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, values...))
}

// New returns a Runner. It panics on steps that are not numbered 1, 2, 3 and
// so on, since steps are written in source code.
func New(target Target, steps []Step, o Options) *Runner {
	for i, step := range steps {
		if step.Number != i+1 {
			panic(fmt.Sprintf("migrate: step %s stands at place %d", step, i+1))
		}
	}
	if o.Wait == 0 {
		o.Wait = DefaultWait
	}
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	return &Runner{
		steps: steps, target: target, records: target.DB.Collection(schema.MigrationsCollection),
		holder: o.Holder, wait: o.Wait, clock: o.Clock, log: o.Log, tell: o.Tell,
	}
}

// Latest is the number of the newest step.
func (r *Runner) Latest() int { return len(r.steps) }

// pending lists the steps up to a number that are to be applied, in order. It
// refuses a database to which something else was applied than what we know.
func (r *Runner) pending(records map[int]Record, to int) ([]Step, error) {
	var steps []Step
	for _, step := range r.steps {
		record, known := records[step.Number]
		switch {
		case known && record.State != Undone && !step.Repeats && record.Checksum != step.Checksum():
			return nil, refuse("step %s was applied with checksum %s on %s, and this release's has %s: "+
				"it was changed after it was applied; run the release that applied it, or restore the step",
				step, record.Checksum, record.StartedAt.UTC().Format(time.DateOnly), step.Checksum())
		case step.Number > to, known && record.State == Applied && record.Checksum == step.Checksum():
		default:
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// newer returns the highest recorded step that this release does not know.
func (r *Runner) newer(records map[int]Record) (Record, bool) {
	var newest Record
	for number, record := range records {
		if number > r.Latest() && record.State != Undone && number > newest.Number {
			newest = record
		}
	}
	return newest, newest.Number > 0
}

// Up applies what is pending, up to step number to; 0 = all. Any number of
// processes may call it at once: one works, the others wait and find it done.
// It returns how many steps were applied.
func (r *Runner) Up(ctx context.Context, to int) (applied int, err error) {
	if to == 0 {
		to = r.Latest()
	}
	if to < 0 || to > r.Latest() {
		return 0, refuse("there is no step %d; this release has 1 to %d", to, r.Latest())
	}
	records, err := r.readRecords(ctx)
	if err != nil {
		return 0, err
	}
	if newest, found := r.newer(records); found {
		return 0, r.acceptNewer(ctx, newest)
	}
	if steps, err := r.pending(records, to); err != nil || len(steps) == 0 {
		return 0, err
	}
	lock, held, err := r.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer r.release(ctx, lock)
	applied, err = r.upHolding(held, lock, to)
	return applied, lostOr(held, err)
}

// acceptNewer is Up on a database that a newer release migrated: nothing to
// do, if this release can work with it.
func (r *Runner) acceptNewer(ctx context.Context, newest Record) error {
	state, err := mongodb.SchemaState(ctx, r.target.DB)
	if err != nil {
		return err
	}
	program := schema.Program{Version: r.Latest(), Oldest: schema.Oldest}
	if err := program.Check(state); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	r.tell(fmt.Sprintf("a newer release has applied step %04d %s, with which this release can work; nothing to do", newest.Number, newest.Name))
	return nil
}

func (r *Runner) upHolding(ctx context.Context, lock *lock, to int) (applied int, err error) {
	records, err := r.readRecords(ctx) // again: another process may have worked while we waited
	if err != nil {
		return 0, err
	}
	steps, err := r.pending(records, to)
	if err != nil {
		return 0, err
	}
	for _, step := range steps {
		if err := r.apply(ctx, lock, step); err != nil {
			return applied, fmt.Errorf("step %s: %w", step, err)
		}
		applied++
		record := records[step.Number]
		record.Number, record.State, record.Checksum = step.Number, Applied, step.Checksum()
		records[step.Number] = record
		if err := r.setState(ctx, lock, r.stateOf(records)); err != nil {
			return applied, err
		}
	}
	return applied, nil
}

func (r *Runner) apply(ctx context.Context, lock *lock, step Step) error {
	r.tell("step " + step.String() + ": " + step.Why)
	if err := r.recordStart(ctx, lock, step); err != nil {
		return err
	}
	actions, err := step.Plan(ctx, r.target)
	if err != nil {
		return err
	}
	if err := r.do(ctx, lock, step, actions); err != nil {
		return err
	}
	return r.recordEnd(ctx, lock, step, Applied)
}

// do carries out actions, each recorded before it is done.
func (r *Runner) do(ctx context.Context, lock *lock, step Step, actions []Action) error {
	for _, action := range actions {
		r.tell("  " + Line(action))
		if action.Do == nil {
			continue
		}
		if err := r.recordAction(ctx, lock, step, action); err != nil {
			return err
		}
		if err := action.Do(ctx); err != nil {
			return fmt.Errorf("%s: %w", action.Text, err)
		}
	}
	return nil
}

// Line is an action as it is printed.
func Line(a Action) string {
	text := a.Text
	if a.Collection != "" {
		text = a.Collection + ": " + text
	}
	if a.Remark {
		text = "(" + text + ")"
	}
	return text
}

// stateOf is the state of a database with these records. Its version is the
// last step before the first that is not applied.
func (r *Runner) stateOf(records map[int]Record) schema.State {
	var state schema.State
	for _, step := range r.steps {
		record := records[step.Number]
		if record.State != Applied {
			break
		}
		state.Version = step.Number
		state.ReadableFrom = max(state.ReadableFrom, step.ReadableFrom)
		if step.Repeats && record.Checksum == step.Checksum() {
			state.Indexes = step.Content
		}
	}
	return state
}

// Down takes back the applied steps above to, the newest first. It refuses
// before it begins when one of them cannot be taken back.
func (r *Runner) Down(ctx context.Context, to int) (undone int, err error) {
	if to < 0 || to > r.Latest() {
		return 0, refuse("there is no step %d; give a number from 0 to %d", to, r.Latest())
	}
	lock, held, err := r.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer r.release(ctx, lock)
	undone, err = r.downHolding(held, lock, to)
	return undone, lostOr(held, err)
}

func (r *Runner) downHolding(ctx context.Context, lock *lock, to int) (undone int, err error) {
	records, err := r.readRecords(ctx)
	if err != nil {
		return 0, err
	}
	if newest, found := r.newer(records); found {
		return 0, refuse("step %04d %s is of a newer release; go back with that release's migrate", newest.Number, newest.Name)
	}
	var steps []Step
	for _, step := range slices.Backward(r.steps) {
		record, known := records[step.Number]
		if step.Number <= to || !known || record.State == Undone {
			continue
		}
		if step.Undo == nil {
			return 0, refuse("step %s cannot be undone: %s; the lowest number to go to is %d", step, step.Irreversible, step.Number)
		}
		steps = append(steps, step)
	}
	for _, step := range steps {
		if err := r.undo(ctx, lock, step, records[step.Number].Made); err != nil {
			return undone, fmt.Errorf("undo step %s: %w", step, err)
		}
		undone++
		records[step.Number] = Record{Number: step.Number, State: Undone}
		if err := r.setState(ctx, lock, r.stateOf(records)); err != nil {
			return undone, err
		}
	}
	return undone, nil
}

func (r *Runner) undo(ctx context.Context, lock *lock, step Step, made []string) error {
	r.tell("undo step " + step.String())
	actions, err := step.Undo(ctx, r.target, made)
	if err != nil {
		return err
	}
	if err := r.do(ctx, lock, step, actions); err != nil {
		return err
	}
	return r.recordEnd(ctx, lock, step, Undone, bson.E{Key: "$unset", Value: bson.D{{Key: "made", Value: ""}, {Key: "did", Value: ""}}})
}

// lostOr names the loss of the lock as the reason of an error that it caused.
func lostOr(held context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(held), ErrLockLost) {
		return fmt.Errorf("%w (%w)", ErrLockLost, err)
	}
	return err
}
