package promises

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/worker/internal/scheduler"
)

// The environment of a child.
const (
	childRole     = "PROMISES_CHILD" // "worker", "scheduler" or "sleeper" makes this binary one
	childURI      = "PROMISES_MONGODB_URI"
	childDatabase = "PROMISES_DATABASE"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := beChild(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	mongotest.Main(m)
}

// stepPayload is what the jobs of these tests do.
type stepPayload struct {
	WaitMS int `json:"waitMs"` // how long a run takes
}

func (stepPayload) Validate() error { return nil }

// step is a one-off job, and tick a recurring one that is due every second.
var (
	step = catalog.Define[stepPayload](catalog.Definition{Name: "step", Concurrency: 20})
	tick = catalog.Define[stepPayload](catalog.Definition{Name: "tick", Repeat: schedule.Spec{Interval: "* * * * * *"}})
)

// effect is what a handler leaves behind when it starts and when it ends,
// outside the queue: the witness of what really ran.
type effect struct {
	Job     bson.ObjectID `bson:"job"`
	Tick    time.Time     `bson:"tick"`
	Attempt int           `bson:"attempt"`
	PID     int           `bson:"pid"`
	Phase   string        `bson:"phase"` // "start" or "end"
	At      time.Time     `bson:"at"`
}

const (
	started = "start"
	ended   = "end"
)

// beChild runs a worker, a scheduler beside one, or a sleeper, until standard
// input ends. A line of it is the order to do what the role does at a moment
// that the test chooses.
func beChild(role string) error {
	ctx := context.Background()
	client, err := mongo.Connect(options.Client().ApplyURI(os.Getenv(childURI)))
	if err != nil {
		return err
	}
	db := client.Database(os.Getenv(childDatabase))
	if role == "sleeper" {
		return beSleeper(ctx, db)
	}
	store := mongoqueue.New(db, mongoqueue.Options{})
	handle := func(kind catalog.Job[stepPayload]) runner.Handler {
		return runner.Handle(kind, func(ctx context.Context, j runner.Job[stepPayload]) (bson.M, error) {
			return work(ctx, db.Collection("effects"), j)
		})
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r := runner.New(runner.Options{
		Store: store, Settings: store, Registry: mongofleet.New(db, time.Now), Server: runner.LocalTime(time.Now),
		Handlers: []runner.Handler{handle(step), handle(tick)},
		PerName:  20, PollInterval: 200 * time.Millisecond, Host: "child", PID: os.Getpid(), Log: log,
	})
	if err := r.Start(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); { // a scheduler begins anew with each
		if err := scheduler.New(scheduler.Options{Store: store, Jobs: catalog.New(tick.Definition), Log: log}).Start(ctx); err != nil {
			return err
		}
	}
	stop, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return r.Stop(stop)
}

func work(ctx context.Context, effects *mongo.Collection, j runner.Job[stepPayload]) (bson.M, error) {
	leave := func(phase string) {
		witness(context.WithoutCancel(ctx), effects, effect{
			Job: j.ID, Tick: j.Tick, Attempt: j.Attempt, PID: os.Getpid(), Phase: phase, At: time.Now(),
		})
	}
	leave(started)
	timer := time.NewTimer(time.Duration(j.Payload.WaitMS) * time.Millisecond)
	defer timer.Stop()
	<-timer.C // deaf to its context on purpose: the queue must hold without the handler's help
	leave(ended)
	return bson.M{"pid": os.Getpid()}, nil
}

// witness stores what happened, however long the database is away: it happened
// all the same.
func witness(ctx context.Context, collection *mongo.Collection, what any) {
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		if _, err := collection.InsertOne(ctx, what); err == nil {
			return
		}
		<-pause.C
	}
}
