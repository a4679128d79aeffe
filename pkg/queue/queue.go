package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// The failures that a Store reports. They are tested with errors.Is.
var (
	// ErrNotFound: no job with that id.
	ErrNotFound = errors.New("no such job")
	// ErrLeaseLost: the lease ended before the outcome could be recorded, or
	// another holder has it. Nothing was written.
	ErrLeaseLost = errors.New("lease lost")
	// ErrConflict: the job is in a state that does not allow the action.
	ErrConflict = errors.New("the job's state does not allow this")
	// ErrKeyReused: the idempotency key belongs to a different request.
	ErrKeyReused = errors.New("idempotency key was used for a different request")
	// ErrRefused: the database does not store such a payload.
	ErrRefused = errors.New("the database does not store this payload")
	// ErrCursor: the cursor is not one that a page of the same filter returned.
	ErrCursor = errors.New("cursor is not one that a page returned")
)

// Request asks for one job.
type Request struct {
	Name     string
	Data     bson.RawValue // see job.ToData; zero = null
	Priority float64
	RunAt    time.Time // zero = now, by the server's clock
	// Unique, when set, makes this job the only one of its name whose
	// payload has these values.
	Unique *Unique
	// IdempotencyKey, when set, makes any number of equal requests one job,
	// whichever process they reach. Scope it by caller.
	IdempotencyKey string
}

// Unique is Agenda's unique(): fields of the payload that identify a job.
type Unique struct {
	// By maps dotted paths within the payload to their values.
	By map[string]any
	// InsertOnly leaves an existing job as it is. Otherwise its payload,
	// priority and time are replaced; a run that is going on is not touched
	// (Agenda 6.2.6 takes its lock away).
	InsertOnly bool
}

// Receipt acknowledges an enqueue: the job is stored by a majority of the
// replica set, in its journal.
type Receipt struct {
	Job     *job.Document
	Created bool // false: an existing job was found (unique, idempotency key)
}

// Recurring asks for the one recurring job of a name. What it leaves open stays
// as it is on a job that exists already: a Node process may have set it.
type Recurring struct {
	Name string
	// Data is the payload; the zero value leaves it open, and an explicit
	// BSON null takes it away. A new job has none then.
	Data bson.RawValue
	// Priority nil leaves it open; a new job has job.PriorityNormal then.
	Priority *float64
	// Repeat is the whole schedule, bounds and days to skip included.
	Repeat schedule.Spec
	// Enabled switches the ticks on or off; nil leaves the job's flag as it
	// is. Switched on again, the job waits for its next tick.
	Enabled *bool
	// KeepSchedule leaves the schedule of an existing job alone: Repeat is
	// only for a job that is missing.
	KeepSchedule bool
}

// Armed tells what Arm did.
type Armed string

// What Arm can have done.
const (
	ArmedCreated   Armed = "created"
	ArmedUnchanged Armed = "unchanged"
	ArmedMoved     Armed = "moved"    // the schedule changed, so the next tick did
	ArmedRevived   Armed = "revived"  // it had no next tick, and its schedule has one
	ArmedEnabled   Armed = "enabled"  // its ticks were switched on
	ArmedDisabled  Armed = "disabled" // its ticks were switched off
	ArmedUpdated   Armed = "updated"  // payload or priority changed; the next tick did not
)

// LeaseRequest asks for due jobs.
type LeaseRequest struct {
	// Holder is the instance that takes the leases; it becomes
	// lastModifiedBy, and half of the fence. It begins with HolderPrefix.
	Holder string
	// Names says which jobs are wanted. Others are not leased.
	Names map[string]NameRequest
	// Total is how many slots are idle, over all names: what is leased for
	// them starts at once.
	Total int
	// Bytes bounds the size of the documents of the batch; 0 = no bound. The
	// first job is leased whatever its size.
	Bytes int
	// Fragile says whether jobs that may kill their workers are leased; those
	// that are not are left for later, and hide no others.
	Fragile Fragile
	// Horizon is how far past now to look for the next due time.
	Horizon time.Duration
	// BeforeClaim, when set, is called once, when jobs were found and before one
	// of them, or a place of a limit, is taken. Its error ends the Lease, which
	// has then taken nothing. A holder tells its peers here that it is about to
	// hold something, so that they rescue it if it dies in the next moment.
	BeforeClaim func(ctx context.Context) error
	// Expired asks for jobs whose lease outlived its lifetime, instead of
	// jobs that are due: the last resort after a crash, and the rule for
	// holders that are Node processes.
	Expired bool
}

// FragileAfter is how many runs of a tick must have been lost before its job is
// taken for one that may kill its workers.
const FragileAfter = 2

// Fragile says how many jobs are leased of those that were lost FragileAfter
// times or more.
type Fragile int

// The values of Fragile.
const (
	AnyFragile Fragile = iota
	OneFragile
	NoFragile
)

// HolderPrefix begins the name of every worker of this product, so that a
// lastModifiedBy tells them from Node processes and from operators.
const HolderPrefix = "worker@"

// NameRequest is what a LeaseRequest wants of one name.
type NameRequest struct {
	// Free is how many more jobs of the name can be held.
	Free int
	// Ahead is the part of Free that may be leased before a slot is idle: it
	// does not count against LeaseRequest.Total. Such leases are marked
	// (Lease.Ahead), because a crash must not charge a run that never began.
	Ahead int
	// Lifetime is the lock lifetime; 0 = DefaultLockLifetime.
	Lifetime time.Duration
	// Limit is how many may run at once over all workers; 0 = no limit. Runs
	// by Node processes are not counted.
	Limit int
	// Missed and Overlap are the policies of a recurring job.
	Missed  job.MissedPolicy
	Overlap job.OverlapPolicy
}

// DefaultLockLifetime is how long Agenda lets a lock stand (ten minutes). A
// shorter lifetime on either side steals from the longer one.
const DefaultLockLifetime = 10 * time.Minute

// Batch is what Lease found.
type Batch struct {
	Leases []*Lease
	// NextDue is the earliest time within the horizon at which another job
	// falls due; zero when there is none.
	NextDue time.Time
	// More reports that due jobs were left because the batch was full or
	// another worker was faster: ask again at once if there are free slots.
	More bool
	// AtLimit names those of which due jobs were left because all places of
	// their limit over all workers are taken. They do not count for More.
	AtLimit []string
}

// Lease is the right to run one job and to record its outcome. Leasing a job
// starts its run: lastRunAt is set and nextRunAt moved on, as Agenda does
// before it calls a handler.
//
// A Lease belongs to one goroutine at a time; Store methods update Stamp.
type Lease struct {
	Job *job.Document
	// Due is the nextRunAt that the claim took.
	Due time.Time
	// Tick is the planned time that this run serves; for a run that
	// continues an interrupted or failed one, the time planned for the first.
	Tick time.Time
	// Attempt counts the runs of this tick, from 1.
	Attempt int
	// StartedAt is the time of the claim. It becomes lastRunAt: with the claim,
	// or, where Ahead is set, with the record of the outcome.
	StartedAt time.Time
	// Ahead reports that the job was leased before a slot was idle.
	Ahead bool
	// Stamp is the lockedAt that this holder wrote last: with Holder, the
	// fence of every later write.
	Stamp time.Time
	// Unanswered are what this holder tried to write as lockedAt since, without an
	// answer: one of them may be stored instead of Stamp.
	Unanswered []time.Time
	// Holder is the instance, as in lastModifiedBy.
	Holder string
	// RunID identifies the record of this run, for whoever knows its job, its
	// start and its holder.
	RunID bson.ObjectID
	// RunOpen reports that the record of this run is in the database already.
	RunOpen bool
	// Failures counts the failed and lost runs of this tick so far, and Lost
	// the lost ones alone: the worker died, or could not be reached.
	Failures int
	Lost     int
	// Cancelled reports that the run which this one would repeat was cancelled
	// before its worker died: record it as cancelled, without a run.
	Cancelled bool
	// NextRunAt is what the claim planned after this run; zero for one-offs.
	NextRunAt time.Time
	// Previous is lastRunAt before the claim, for handing the job back.
	Previous time.Time
	// Slot is this run's place among those that NameRequest.Limit allows;
	// zero when the name has no limit.
	Slot bson.ObjectID
	// SkipOverlap asks that ticks which passed during the run are dropped.
	SkipOverlap bool
}

// Wrote reports whether a lockedAt is one that this lease may have written.
func (l *Lease) Wrote(lockedAt time.Time) bool {
	return l.Stamp.Equal(lockedAt) || slices.ContainsFunc(l.Unanswered, lockedAt.Equal)
}

// Ending is the outcome of one run, to be recorded.
type Ending struct {
	Lease   *Lease
	Outcome job.Outcome
	// FinishedAt is stored as lastFinishedAt, and as failedAt of a failure.
	// Keep it when a failed Record is repeated: it is how a repeated call
	// recognises what the first one wrote. Zero = now.
	FinishedAt time.Time
	// Unstarted says of a released run that its handler was never called: it
	// leaves no record, and the job is as it was before the lease.
	Unstarted bool
	// RunAgainAt is the time of the next attempt of job.Retrying and
	// job.Snoozed.
	RunAgainAt time.Time
	Error      string
	Stack      string
	Result     bson.RawValue
	Progress   *job.Progress
	Logs       []job.LogLine
	LogsCut    int
}

// MostNames is how many names a Filter may have.
const MostNames = 200

// Filter selects jobs for List. Zero fields select everything.
type Filter struct {
	Names  []string // MostNames at the most
	States []job.State
	// Dead selects jobs that failed for good.
	Dead bool
	// Cursor continues a listing: Page.Next of the page before.
	Cursor string
	// Limit bounds the page: 1 to 200, 0 = 50.
	Limit int
}

// Page is one page of jobs. Scheduled jobs come soonest first, queued ones due
// for longest first, failed and dead ones by their newest failure, and all others
// newest first by id. Jobs of several states come state by state, in the order of
// job.States.
//
// A page may hold fewer jobs than its limit, also none, and have a next one: it
// looked at as many documents as a page may. A job whose state, or whose date of
// that order, changes between two pages may be on both or on none; all others are
// on exactly one.
type Page struct {
	Jobs []*job.Document
	Next string // "" on the last page
}

// Counts is how many jobs are in each state.
type Counts struct {
	Total   int64
	ByState map[job.State]int64
	Dead    int64     // part of failed
	AtLeast bool      // counting ended early: there are more jobs in some states, and fewer completed ones
	AsOf    time.Time // when they were counted; at most a few seconds ago
}

// Producer puts jobs into the queue.
type Producer interface {
	// Enqueue stores jobs, all in one command where none is Unique. Receipts
	// are in the order of the requests.
	Enqueue(ctx context.Context, requests ...Request) ([]Receipt, error)
	// Arm creates or updates the one recurring job of a name. It never wipes
	// history, never unlocks a running job, and never moves a schedule that
	// did not change. A tick that is due when the schedule moves stays due. Any
	// number of concurrent calls make one job. ErrConflict: a document that
	// somebody changed by hand is in the way; the text says which and the mend.
	Arm(ctx context.Context, recurring Recurring) (Armed, error)
	// Unarmed returns those for which Arm has something to do or to say, in
	// one command: nearly always none.
	Unarmed(ctx context.Context, recurring ...Recurring) ([]Recurring, error)
}

// Consumer leases jobs and records what became of them.
type Consumer interface {
	// Lease claims due jobs and starts their runs.
	Lease(ctx context.Context, request LeaseRequest) (Batch, error)
	// Open writes the records of runs that go on long enough to be looked at
	// before they end.
	Open(ctx context.Context, leases []*Lease) error
	// Renew extends leases. It returns those that are lost; the others have
	// a new Stamp.
	Renew(ctx context.Context, leases []*Lease) (lost []*Lease, err error)
	// CancelRequested returns those of the leases whose job was cancelled.
	CancelRequested(ctx context.Context, leases []*Lease) ([]*Lease, error)
	// Report stores progress and log lines of runs that are going on, and
	// opens their records where needed.
	Report(ctx context.Context, reports []Ending) error
	// Record stores outcomes in the jobs, and frees the places of limits. The
	// answer has one entry per ending: nil; ErrLeaseLost; or ErrRefused when the
	// database stores no outcome of that job at all, so that only the lifetime
	// of its lock ends the lease. An ending that was refused only because of
	// what it carries is stored without that, as job.Dead with the reason:
	// endings is changed to what is stored. One ending never holds back
	// another. A non-nil error of the call means that the database could not
	// be reached, and some may not be recorded: repeat the call with the same
	// endings.
	Record(ctx context.Context, endings []Ending) (results []error, err error)
	// RecordRuns stores the history of endings that Record has answered.
	// Nothing waits for it: a record that the database refuses is stored
	// without what the run carried, or dropped and counted. An error means
	// that the database could not be reached: repeat the call.
	RecordRuns(ctx context.Context, endings []Ending) (dropped int, err error)
	// Rescue releases what a dead instance held, and marks its open runs as
	// lost.
	Rescue(ctx context.Context, request RescueRequest) (Rescued, error)
	// Reconcile makes the places that are taken of a limit equal to the jobs
	// of the name that workers really hold. Call it before the first lease
	// under a limit, and now and then: a place that leaked comes free, and a
	// run that began before the limit was set takes one.
	Reconcile(ctx context.Context, name string) error
}

// RescueRequest says whose leases to release.
type RescueRequest struct {
	// Instance held the leases.
	Instance string
	// Renewed spares leases whose lock was written after this time: their
	// holder lives. Zero spares none.
	Renewed time.Time
	// Own says that the caller is the instance itself, after a Lease that
	// failed and may have claimed more than it told. What it does not know of
	// has never begun: those runs are charged nothing.
	Own bool
	// Keep are leases that the caller knows of and goes on with, and Lost those
	// that it knows of and gives up.
	Keep, Lost []*Lease
}

// Rescued is what Rescue did.
type Rescued struct {
	Due   int // jobs that are due again
	Spare int // leases that were renewed after RescueRequest.Renewed
}

// Inspector reads the queue.
type Inspector interface {
	// Get returns one job, or ErrNotFound.
	Get(ctx context.Context, id bson.ObjectID) (*job.Document, error)
	// List returns a page of jobs; Page tells in which order.
	List(ctx context.Context, filter Filter) (Page, error)
	// Counts counts jobs by state.
	Counts(ctx context.Context) (Counts, error)
	// Runs returns the newest runs of a job, newest first; limit 1 to 200.
	Runs(ctx context.Context, id bson.ObjectID, limit int) ([]job.Run, error)
}

// Controller changes jobs and names on behalf of an operator; by names who.
type Controller interface {
	// Cancel stops a job: a waiting one will not run, a running one is told
	// to stop. It returns ErrConflict for finished jobs and for a recurring
	// job that is not running (pause its name, or delete it).
	Cancel(ctx context.Context, id bson.ObjectID, by string) (*job.Document, error)
	// Retry makes a job that is not running due now, with fresh attempts.
	Retry(ctx context.Context, id bson.ObjectID, by string) (*job.Document, error)
	// Delete removes a job that is not running, and keeps its runs.
	Delete(ctx context.Context, id bson.ObjectID) error
	// Settings returns the settings of every name that has some.
	Settings(ctx context.Context) (map[string]job.Settings, error)
	// ChangeSettings stores the settings of a name, Name and ChangedBy
	// included.
	ChangeSettings(ctx context.Context, settings job.Settings) error
	// ChangeSchedule stores when the recurring job of a name runs; nil = as
	// the program says. Schedulers apply it.
	ChangeSchedule(ctx context.Context, name string, schedule *job.ScheduleOverride) error
	// Pause stops leasing a name; Resume lets it go on.
	Pause(ctx context.Context, name, by string) error
	Resume(ctx context.Context, name, by string) error
}

// Store is the whole port. Package mongoqueue implements it on Agenda's
// collection; package queuetest holds the conformance suite.
type Store interface {
	Producer
	Consumer
	Inspector
	Controller
	// Prepare creates the indexes and collections that the store relies on.
	Prepare(ctx context.Context) error
	// Now is the database server's time, as far as this process knows.
	Now() time.Time
}
