// Command bench measures the product and prints one table: throughput beside
// Node's Agenda 5 and 6 in the same run, pickup latency, cost and memory of
// idle processes, recovery from a crash. Run it by tools/bench/run, which
// provides the engines, the binaries and Node's packages.
//
//	bench [flags] [section …]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/measure"
	"github.com/etrainer/backend/tools/bench/internal/ours"
	"github.com/etrainer/backend/tools/bench/internal/report"
	"github.com/etrainer/backend/tools/bench/internal/rivals"
)

func main() { os.Exit(program()) }

// program returns the exit code.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work := func() error { return run(ctx, os.Args[1:]) }
	if len(os.Args) == 3 && os.Args[1] == ours.ChildCommand {
		work = func() error { return ours.RunChild(ctx, os.Args[2]) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		return 1
	}
	return 0
}

type flags struct {
	mongodb, redis, engine, node, worker, api, json, cpuprofile string
	backlogs                                                    backlogs
	flood                                                       int
	sections                                                    []string
}

// backlogs is a flag with numbers and commas.
type backlogs []int

func (b *backlogs) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(*b), " ", ","), "[]")
}

func (b *backlogs) Set(text string) error {
	*b = nil
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of jobs", field)
		}
		*b = append(*b, n)
	}
	return nil
}

func run(ctx context.Context, args []string) (err error) {
	f, err := parse(args)
	if err != nil {
		return err
	}
	if f.cpuprofile != "" {
		stop, err := profile(f.cpuprofile)
		if err != nil {
			return err
		}
		defer stop()
	}
	e, err := engine.Open(ctx, f.mongodb, f.redis)
	if err != nil {
		return err
	}
	if f.engine != "" {
		e.Description = f.engine
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	bench := &measure.Bench{
		Engine: e, Node: rivals.Node{Dir: f.node}, Worker: f.worker, API: f.api, Self: self, Backlogs: f.backlogs, Flood: f.flood,
		Say: func(format string, values ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", values...) },
	}
	node, _ := bench.Node.Available(ctx) // its absence shows in the rows
	r := report.New(report.Environment{
		Engine: e.Description, WriteConcern: engine.WriteConcern, CPUs: runtime.NumCPU(),
		Go: runtime.Version(), Node: node, Load: load(), At: time.Now().UTC(),
	})
	for _, section := range measure.Sections {
		if len(f.sections) > 0 && !slices.Contains(f.sections, section.Name) {
			continue
		}
		began := time.Now()
		fmt.Fprintf(os.Stderr, "%s …\n", section.Name)
		rows, failure := section.Run(bench, ctx)
		r.Add(rows...)
		if failure != nil {
			err = errors.Join(err, fmt.Errorf("section %s: %w", section.Name, failure))
		}
		fmt.Fprintf(os.Stderr, "%s took %s\n", section.Name, time.Since(began).Round(time.Second))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(err, r.WriteTable(os.Stdout), writeJSON(r, f.json))
}

func parse(args []string) (flags, error) {
	f := flags{backlogs: measure.Backlogs}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.StringVar(&f.mongodb, "mongodb", os.Getenv("TEST_MONGODB_URI"), "address of the database; default $TEST_MONGODB_URI")
	set.StringVar(&f.redis, "redis", os.Getenv("TEST_REDIS_URL"), "address of Redis; default $TEST_REDIS_URL")
	set.StringVar(&f.engine, "engine", "", "what to call the engine; default what it calls itself")
	set.Var(&f.backlogs, "backlogs", "how many jobs wait when the throughput is measured")
	set.IntVar(&f.flood, "flood", measure.Flood, "how many jobs of one name wait when fairness is measured")
	set.StringVar(&f.node, "node", "node", "folder with the packages of Node's Agenda")
	set.StringVar(&f.worker, "worker", "", "the product's worker; without it its start and memory are not measured")
	set.StringVar(&f.api, "api", "", "the product's api, likewise")
	set.StringVar(&f.json, "json", "", "file for the rows as JSON as well")
	set.StringVar(&f.cpuprofile, "cpuprofile", "", "file for a CPU profile of this program")
	set.Usage = func() {
		fmt.Fprintf(set.Output(), "usage: bench [flags] [section …]\n\nsections: %s\n\nflags:\n", names())
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.mongodb == "" {
		return f, errors.New("no database: set -mongodb, or start this by tools/bench/run")
	}
	if f.flood < 1 {
		return f, fmt.Errorf("-flood is %d, and must be at least one job", f.flood)
	}
	f.sections = set.Args()
	for _, name := range f.sections {
		if !slices.ContainsFunc(measure.Sections, func(s measure.Section) bool { return s.Name == name }) {
			return f, fmt.Errorf("section %q is unknown; choose of: %s", name, names())
		}
	}
	return f, nil
}

func names() string {
	names := make([]string, len(measure.Sections))
	for i, section := range measure.Sections {
		names[i] = section.Name
	}
	return strings.Join(names, " ")
}

func profile(path string) (stop func(), err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("start the profile: %w", err), file.Close())
	}
	return func() { pprof.StopCPUProfile(); _ = file.Close() }, nil
}

// load is the machine's load average, where the system tells: other work on
// the machine spoils every number.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func writeJSON(r *report.Report, path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the rows: %w", err)
	}
	return errors.Join(r.WriteJSON(file), file.Close())
}
