package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
	"github.com/etrainer/backend/tools/chaos/internal/programs"
	"github.com/etrainer/backend/tools/chaos/internal/report"
	"github.com/etrainer/backend/tools/chaos/internal/stage"
)

// round is a row of seeds.
type round struct {
	flags
	set      *programs.Set
	template string

	mu      sync.Mutex
	summary *report.Summary
	broken  error // a stage that could not be played
}

func newRound(f flags, set *programs.Set, template string) *round {
	return &round{flags: f, set: set, template: template, summary: report.New()}
}

// run plays all seeds, some at a time, and returns the exit code.
func (r *round) run(ctx context.Context) (int, error) {
	began := time.Now()
	seeds := make(chan uint64)
	var lanes sync.WaitGroup
	for range r.lanes {
		lanes.Go(func() {
			for seed := range seeds {
				r.play(ctx, seed)
			}
		})
	}
	for i := range r.seeds {
		select {
		case seeds <- r.from + uint64(i):
		case <-ctx.Done():
		}
	}
	close(seeds)
	lanes.Wait()
	fmt.Print(r.summary.Text(time.Since(began)))
	switch {
	case ctx.Err() != nil:
		return 0, errors.New("interrupted")
	case r.broken != nil:
		return 0, r.broken
	case r.summary.Failed() > 0:
		fmt.Println("the files of the seeds that failed are in " + r.keep)
		return 1, nil
	}
	return 0, os.RemoveAll(r.keep)
}

// play plays one seed and prints what came of it.
func (r *round) play(ctx context.Context, seed uint64) {
	began := time.Now()
	p := plan.New(seed).Only(plan.Kind(r.only))
	folder := filepath.Join(r.keep, fmt.Sprintf("seed-%d", seed))
	story, err := r.stage(ctx, p, folder)
	var violations []check.Violation
	if err == nil {
		violations = check.Check(story)
	}
	if ctx.Err() != nil {
		return // what came of it says nothing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.broken = errors.Join(r.broken, fmt.Errorf("seed %d could not be played: %w", seed, err))
		fmt.Printf("seed %d could not be played: %v\n", seed, err)
		return
	}
	r.summary.Add(p, story, violations)
	fmt.Print(report.Seed(p, story, violations, time.Since(began)))
	if len(violations) > 0 {
		fmt.Printf("  repeat it: make chaos ARGS=\"-seed %d\"; its files: %s\n", seed, folder)
		r.broken = errors.Join(r.broken, keepStory(folder, story))
	} else if r.seed == 0 {
		_ = os.RemoveAll(folder)
	}
}

func (r *round) stage(ctx context.Context, p plan.Plan, folder string) (check.Story, error) {
	if err := os.RemoveAll(folder); err != nil {
		return check.Story{}, err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return check.Story{}, err
	}
	s, err := stage.New(r.set, p, folder, r.template)
	if err != nil {
		return check.Story{}, err
	}
	return s.Run(ctx)
}

// storyFile holds what was known about a seed at its end.
const storyFile = "story.json"

func keepStory(folder string, story check.Story) error {
	text, err := json.Marshal(story)
	if err != nil {
		return fmt.Errorf("encode a story: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, storyFile), text, 0o600); err != nil {
		return fmt.Errorf("keep a story: %w", err)
	}
	return nil
}

// checkAgain checks a story that was kept, and prints it.
func checkAgain(folder string) (int, error) {
	text, err := os.ReadFile(filepath.Join(folder, storyFile))
	if err != nil {
		return 0, fmt.Errorf("read a story: %w", err)
	}
	var story check.Story
	if err := json.Unmarshal(text, &story); err != nil {
		return 0, fmt.Errorf("read a story: %w", err)
	}
	fmt.Print(report.Story(story))
	violations := check.Check(story)
	for _, v := range violations {
		fmt.Println(v)
	}
	return min(len(violations), 1), nil
}
