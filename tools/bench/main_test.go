package main

import (
	"testing"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// The benchmarks of single calls. Those that need a database take the one of
// TEST_MONGODB_URI, or start the embedded one; its price is in their numbers.
//
//	go test -bench . -benchmem ./...
func TestMain(m *testing.M) { mongotest.Main(m) }

func TestFlagsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no database":            {"-mongodb", ""},
		"unknown section":        {"-mongodb", "mongodb://127.0.0.1/", "speed"},
		"a backlog of nothing":   {"-mongodb", "mongodb://127.0.0.1/", "-backlogs", "300,0"},
		"a flood of nothing":     {"-mongodb", "mongodb://127.0.0.1/", "-flood", "0"},
		"a backlog in words":     {"-mongodb", "mongodb://127.0.0.1/", "-backlogs", "many"},
		"a flag nobody has made": {"-mongodb", "mongodb://127.0.0.1/", "-fast"},
	} {
		if f, err := parse(args); err == nil {
			t.Errorf("%s: %q was accepted as %+v", name, args, f)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	f, err := parse([]string{"-mongodb", "mongodb://127.0.0.1/", "-backlogs", "10,2000", "latency", "crash"})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.backlogs.String(); got != "10,2000" {
		t.Errorf("backlogs are %s, want 10,2000", got)
	}
	if len(f.sections) != 2 || f.sections[0] != "latency" || f.sections[1] != "crash" {
		t.Errorf("sections are %q", f.sections)
	}
}
