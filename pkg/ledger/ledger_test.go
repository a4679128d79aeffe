package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/ledger"
	"github.com/etrainer/backend/pkg/ledger/ledgertest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(_ *testing.T, now func() time.Time) ledger.Ledger { return ledger.NewMemory(now) })
}

func claim(holder string, keys ...string) ledger.Claim {
	return ledger.Claim{Holder: holder, Keys: keys, Keep: time.Hour}
}

// all settles everything alike.
func all(state ledger.State) ledger.Effect {
	return func(_ context.Context, places []int) ([]ledger.Settlement, error) {
		out := make([]ledger.Settlement, len(places))
		for i := range out {
			out[i].State = state
		}
		return out, nil
	}
}

func do(t *testing.T, l ledger.Ledger, c ledger.Claim, effect ledger.Effect) ledger.Report {
	t.Helper()
	report, _, err := ledger.Do(t.Context(), l, c, effect)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestDo(t *testing.T) {
	t.Parallel()
	l := ledger.NewMemory(nil)
	if got, want := do(t, l, claim("one", "a", "b"), all(ledger.Done)), (ledger.Report{Done: 2}); got != want {
		t.Errorf("first: %+v, want %+v", got, want)
	}
	if got, want := do(t, l, claim("two", "b", "c"), all(ledger.Failed)), (ledger.Report{Failed: 1, Skipped: 1}); got != want {
		t.Errorf("second: %+v, want %+v", got, want)
	}
	if got, want := do(t, l, claim("three", "c", "d"), all(ledger.Free)), (ledger.Report{Hopeless: 1, Freed: 1}); got != want {
		t.Errorf("third: %+v, want %+v", got, want)
	}
	if got, want := do(t, l, claim("four", "d"), all(ledger.Done)), (ledger.Report{Done: 1}); got != want {
		t.Errorf("fourth: %+v, want %+v", got, want)
	}
	never := func(context.Context, []int) ([]ledger.Settlement, error) {
		t.Error("the effect was made again")
		return nil, nil
	}
	if got, want := do(t, l, claim("five", "a", "b", "c", "d"), never), (ledger.Report{Skipped: 3, Hopeless: 1}); got != want {
		t.Errorf("fifth: %+v, want %+v", got, want)
	}
}

// An effect that fails as a whole, or does not say what it did, is not made.
func TestDoGivesBackWhatWasNotMade(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, effect := range map[string]ledger.Effect{
		"fails":         func(context.Context, []int) ([]ledger.Settlement, error) { return nil, broken },
		"says too less": func(context.Context, []int) ([]ledger.Settlement, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := ledger.NewMemory(nil)
			if report, _, err := ledger.Do(t.Context(), l, claim("one", "a"), effect); err == nil || report.Freed != 1 {
				t.Errorf("%+v, %v", report, err)
			}
			if got := do(t, l, claim("two", "a"), all(ledger.Done)); got.Done != 1 {
				t.Errorf("the next run: %+v", got)
			}
		})
	}
}

// A process that dies in the effect leaves its keys uncertain.
func TestACrashInTheMiddle(t *testing.T) {
	t.Parallel()
	l := ledger.NewMemory(nil)
	func() {
		defer func() { _ = recover() }()
		_, _, _ = ledger.Do(t.Context(), l, claim("one", "a", "b"), func(context.Context, []int) ([]ledger.Settlement, error) { panic("killed") })
	}()
	if got, want := do(t, l, claim("two", "a", "b", "c"), all(ledger.Done)), (ledger.Report{Uncertain: 2, Done: 1}); got != want {
		t.Errorf("the next run: %+v, want %+v", got, want)
	}
}

// What was made is recorded even when the caller is being stopped.
func TestDoSettlesAfterACancel(t *testing.T) {
	t.Parallel()
	l := ledger.NewMemory(nil)
	ctx, cancel := context.WithCancel(t.Context())
	report, _, err := ledger.Do(ctx, l, claim("one", "a"), func(ctx context.Context, places []int) ([]ledger.Settlement, error) {
		cancel()
		return all(ledger.Done)(ctx, places)
	})
	if err != nil || report.Done != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if got := do(t, l, claim("two", "a"), all(ledger.Done)); got.Skipped != 1 {
		t.Errorf("the next run: %+v", got)
	}
}

// shaky is a ledger whose answers get lost.
type shaky struct {
	ledger.Ledger
	losses int
}

func (s *shaky) Claim(ctx context.Context, c ledger.Claim) ([]ledger.State, error) {
	states, err := s.Ledger.Claim(ctx, c)
	if s.losses > 0 {
		s.losses--
		return nil, errors.New("connection reset")
	}
	return states, err
}

func TestALostAnswerCostsNothing(t *testing.T) {
	t.Parallel()
	l := &shaky{Ledger: ledger.NewMemory(nil), losses: 2}
	if got := do(t, l, claim("one", "a", "b"), all(ledger.Done)); got.Done != 2 {
		t.Errorf("%+v", got)
	}
}

func Example() {
	entries := ledger.NewMemory(time.Now)
	users := []string{"an", "binh"}
	greet := func(run string) {
		claim := ledger.Claim{Holder: run, Policy: ledger.AtMostOnce(), Keep: 48 * time.Hour}
		for _, user := range users {
			claim.Keys = append(claim.Keys, "greeting/2025-08-04/"+user)
		}
		report, _, err := ledger.Do(context.Background(), entries, claim, func(_ context.Context, places []int) ([]ledger.Settlement, error) {
			made := make([]ledger.Settlement, len(places))
			for i, place := range places {
				fmt.Println("hello", users[place])
				made[i].State = ledger.Done
			}
			return made, nil
		})
		fmt.Println(run, "made", report.Done, "skipped", report.Skipped, err)
	}
	greet("first attempt")
	greet("second attempt")
	// Output:
	// hello an
	// hello binh
	// first attempt made 2 skipped 0 <nil>
	// second attempt made 0 skipped 2 <nil>
}
