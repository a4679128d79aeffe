package migrate

import (
	"context"
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
)

// Planned is a step that is pending, and what it would do now.
type Planned struct {
	Number  int      `json:"number"`
	Name    string   `json:"name"`
	Why     string   `json:"why"`
	Resumes bool     `json:"resumes,omitempty"` // it was begun and broken off
	Actions []Action `json:"actions"`
}

// Plan returns what Up would do, and changes nothing. A later step is planned
// on the database as it is now, without the earlier ones.
func (r *Runner) Plan(ctx context.Context) ([]Planned, error) {
	records, err := r.readRecords(ctx)
	if err != nil {
		return nil, err
	}
	if newest, found := r.newer(records); found {
		return nil, r.acceptNewer(ctx, newest)
	}
	steps, err := r.pending(records, r.Latest())
	if err != nil {
		return nil, err
	}
	planned := []Planned{}
	for _, step := range steps {
		actions, err := step.Plan(ctx, r.target)
		if err != nil {
			return nil, fmt.Errorf("plan step %s: %w", step, err)
		}
		if actions == nil {
			actions = []Action{}
		}
		planned = append(planned, Planned{
			Number: step.Number, Name: step.Name, Why: step.Why,
			Resumes: records[step.Number].State == Started, Actions: actions,
		})
	}
	return planned, nil
}

// Words are the lines of a plan.
func Words(plan []Planned) []string {
	var lines []string
	for _, step := range plan {
		lines = append(lines, fmt.Sprintf("%04d %s: %s", step.Number, step.Name, step.Why))
		if step.Resumes {
			lines = append(lines, "  (it was begun and broken off: this is what is left)")
		}
		if len(step.Actions) == 0 {
			lines = append(lines, "  nothing to do")
		}
		for _, action := range step.Actions {
			lines = append(lines, "  "+Line(action))
		}
	}
	if len(plan) == 0 {
		lines = append(lines, "nothing to do")
	}
	return lines
}

// Status is what the database and this release know of the schema.
type Status struct {
	Schema  schema.State `json:"schema"`
	Release struct {
		Version int `json:"version"`
		Oldest  int `json:"oldest"`
	} `json:"release"`
	// Problem is why this release's programs would not start; "" = they would.
	Problem string       `json:"problem,omitempty"`
	Locked  string       `json:"lockedBy,omitempty"` // who is migrating now
	Steps   []StepStatus `json:"steps"`
}

// StepStatus is one step. State is pending, started, applied, undone, changed
// (to be applied again), mismatch (refused), or newer (of a newer release).
type StepStatus struct {
	Number    int       `json:"number"`
	Name      string    `json:"name"`
	State     string    `json:"state"`
	AppliedAt time.Time `json:"appliedAt,omitzero"`
	By        string    `json:"by,omitempty"`
}

// Status reads where the database stands.
func (r *Runner) Status(ctx context.Context) (Status, error) {
	var status Status
	state, err := mongodb.SchemaState(ctx, r.target.DB)
	if err != nil {
		return status, err
	}
	records, err := r.readRecords(ctx)
	if err != nil {
		return status, err
	}
	stored, err := r.readLock(ctx)
	if err != nil {
		return status, fmt.Errorf("read the lock: %w", err)
	}
	if stored.Lock != nil && stored.Lock.ExpiresAt.After(r.target.Now()) {
		status.Locked = stored.Lock.Holder
	}
	status.Schema, status.Release.Version, status.Release.Oldest = state, r.Latest(), schema.Oldest
	if err := (schema.Program{Version: r.Latest(), Oldest: schema.Oldest}).Check(state); err != nil {
		status.Problem = err.Error()
	}
	for _, step := range r.steps {
		record, known := records[step.Number]
		status.Steps = append(status.Steps, statusOf(step, record, known))
	}
	for number := r.Latest() + 1; ; number++ {
		record, known := records[number]
		if !known {
			return status, nil
		}
		status.Steps = append(status.Steps, StepStatus{number, record.Name, "newer", record.FinishedAt, record.By})
	}
}

func statusOf(step Step, record Record, known bool) StepStatus {
	s := StepStatus{Number: step.Number, Name: step.Name, State: "pending"}
	if !known {
		return s
	}
	s.State, s.AppliedAt, s.By = record.State, record.FinishedAt, record.By
	if record.State != Undone && record.Checksum != step.Checksum() {
		s.State = "mismatch"
		if step.Repeats {
			s.State = "changed"
		}
	}
	return s
}
