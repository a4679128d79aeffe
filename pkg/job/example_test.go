package job_test

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// A document that Agenda wrote is decoded, and its state computed by
// Agenda's rules.
func Example() {
	stored, err := bson.Marshal(bson.D{
		{Key: "_id", Value: bson.NewObjectID()},
		{Key: "name", Value: "send mail"},
		{Key: "data", Value: bson.D{{Key: "to", Value: "an@example.com"}}},
		{Key: "nextRunAt", Value: time.Date(2024, 1, 17, 9, 0, 0, 0, time.UTC)},
		{Key: "lockedAt", Value: nil},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var document job.Document
	if err := bson.Unmarshal(stored, &document); err != nil {
		fmt.Println(err)
		return
	}
	text, err := document.DataJSON()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(document.Name, string(text))
	fmt.Println(document.State(time.Date(2024, 1, 17, 8, 59, 0, 0, time.UTC)))
	fmt.Println(document.State(time.Date(2024, 1, 17, 9, 0, 0, 0, time.UTC)))
	// Output:
	// send mail {"to":"an@example.com"}
	// scheduled
	// queued
}

// A Retry says how long to wait after each failure, and when to give up.
func ExampleRetry_Next() {
	policy := job.Retry{MaxAttempts: 4, Delay: time.Second, Factor: 3, MaxDelay: 5 * time.Second, Jitter: -1}
	for attempt := 1; ; attempt++ {
		delay, ok := policy.Next(attempt, 0)
		if !ok {
			fmt.Println("dead after attempt", attempt)
			return
		}
		fmt.Println(delay)
	}
	// Output:
	// 1s
	// 3s
	// 5s
	// dead after attempt 4
}
