package queue

import (
	"context"
	"log/slog"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/wake"
)

// Cancel cancels a job as Controller.Cancel does, and tells its holder.
func (c *Client) Cancel(ctx context.Context, id bson.ObjectID, by string) (*job.Document, error) {
	document, err := c.store.Cancel(ctx, id, by)
	if err == nil && !document.LockedAt.IsZero() {
		c.tell(ctx, wake.Signal{Kind: wake.Cancel, Name: document.Name, JobID: id.Hex()})
	}
	return document, err
}

// Retry makes a job due now as Controller.Retry does, and wakes the workers.
func (c *Client) Retry(ctx context.Context, id bson.ObjectID, by string) (*job.Document, error) {
	document, err := c.store.Retry(ctx, id, by)
	if err == nil {
		c.tell(ctx, wake.Signal{Kind: wake.Due, Name: document.Name})
	}
	return document, err
}

// Pause stops the leasing of a name in every worker.
func (c *Client) Pause(ctx context.Context, name, by string) error {
	return c.settle(ctx, name, c.store.Pause(ctx, name, by))
}

// Resume lets a paused name go on.
func (c *Client) Resume(ctx context.Context, name, by string) error {
	return c.settle(ctx, name, c.store.Resume(ctx, name, by))
}

// ChangeSettings stores the settings of a name and tells the workers.
func (c *Client) ChangeSettings(ctx context.Context, settings job.Settings) error {
	return c.settle(ctx, settings.Name, c.store.ChangeSettings(ctx, settings))
}

// ChangeSchedule stores when the recurring job of a name runs and tells the
// workers; nil = as the program says.
func (c *Client) ChangeSchedule(ctx context.Context, name string, schedule *job.ScheduleOverride) error {
	return c.settle(ctx, name, c.store.ChangeSchedule(ctx, name, schedule))
}

func (c *Client) settle(ctx context.Context, name string, err error) error {
	if err == nil {
		c.tell(ctx, wake.Signal{Kind: wake.Settings, Name: name})
	}
	return err
}

func (c *Client) tell(ctx context.Context, signal wake.Signal) {
	if err := c.waker.Publish(ctx, signal); err != nil {
		c.options.Log.WarnContext(ctx, "signal not sent; workers will notice at their next poll",
			slog.String("signal", string(signal.Kind)), slog.String("job_name", signal.Name), slog.Any("error", err))
	}
}
