package wake_test

import (
	"context"
	"fmt"

	"github.com/etrainer/backend/pkg/wake"
)

// oneProcess carries signals within a process: what package rediswake does
// between processes.
type oneProcess chan wake.Signal

func (p oneProcess) Publish(_ context.Context, signal wake.Signal) error {
	select {
	case p <- signal:
	default: // a hint may be lost
	}
	return nil
}

func (p oneProcess) Signals() <-chan wake.Signal { return p }
func (p oneProcess) Connected() bool             { return true }

// Whoever stores a job tells the workers, who then look at the database.
func Example() {
	signals := make(oneProcess, 8)
	var publisher wake.Publisher = signals
	var subscriber wake.Subscriber = signals

	if err := publisher.Publish(context.Background(), wake.Signal{Kind: wake.Due, Name: "send mail"}); err != nil {
		fmt.Println("workers find the job at their next poll:", err)
	}
	signal := <-subscriber.Signals()
	fmt.Println(signal.Kind, signal.Name)
	// Output: due send mail
}
