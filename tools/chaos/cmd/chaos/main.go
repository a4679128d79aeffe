// Command chaos breaks everything around the queue, in ways that a seed
// decides, and checks afterwards that no promise was broken. Run it by
// tools/chaos/run, which builds what it needs.
//
//	chaos                     seeds 1 to 21, four at a time
//	chaos -seeds 200          seeds 1 to 200
//	chaos -seed 7             one seed; its history and logs are kept
//	chaos -story FOLDER       prints such a history, and checks it again
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/plan"
	"github.com/etrainer/backend/tools/chaos/internal/programs"
	"github.com/etrainer/backend/tools/chaos/internal/stage"
)

func main() { os.Exit(program()) }

// program returns the exit code.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos: "+err.Error())
		return 2
	}
	return code
}

type flags struct {
	root  string
	from  uint64
	seeds int
	seed  uint64
	lanes int
	keep  string
	story string
	only  string
}

func parse(args []string) (flags, error) {
	f := flags{}
	set := flag.NewFlagSet("chaos", flag.ContinueOnError)
	set.StringVar(&f.root, "root", ".", "the repository")
	set.Uint64Var(&f.from, "from", 1, "the first seed")
	set.IntVar(&f.seeds, "seeds", len(plan.Kinds()), "how many seeds; the default begins once with each kind of fault")
	set.Uint64Var(&f.seed, "seed", 0, "run this seed alone, and keep its files; 0 = run -seeds of them")
	set.IntVar(&f.lanes, "lanes", 4, "how many seeds run at once")
	set.StringVar(&f.keep, "keep", "", "folder for the files of seeds that fail; default a temporary one")
	set.StringVar(&f.only, "only", "", "of the faults of each seed, let only those of this kind happen, to find out which one breaks a promise")
	set.StringVar(&f.story, "story", "", "print and check again what was kept in this folder of a seed; runs nothing")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.seed != 0 {
		f.from, f.seeds, f.lanes = f.seed, 1, 1
	}
	if f.seeds < 1 || f.lanes < 1 {
		return f, fmt.Errorf("-seeds is %d and -lanes is %d; both must be at least 1", f.seeds, f.lanes)
	}
	return f, nil
}

// run returns 1 when a seed failed.
func run(ctx context.Context, args []string) (int, error) {
	f, err := parse(args)
	if err != nil {
		return 0, err
	}
	if f.story != "" {
		return checkAgain(f.story)
	}
	if f.root, err = filepath.Abs(f.root); err != nil {
		return 0, fmt.Errorf("find the repository: %w", err)
	}
	began := time.Now()
	set, err := programs.Build(ctx, f.root, filepath.Join(f.root, "bin", "chaos-programs"))
	if err != nil {
		return 0, err
	}
	fmt.Printf("built in %s\n", time.Since(began).Round(time.Second))
	for _, missing := range set.Missing {
		fmt.Println("skipped: " + missing)
	}
	if f.keep == "" {
		if f.keep, err = os.MkdirTemp("", "etrainer-chaos-"); err != nil {
			return 0, fmt.Errorf("make a folder: %w", err)
		}
	}
	template, err := stage.Template(ctx, set, f.keep)
	if err != nil {
		return 0, err
	}
	return newRound(f, set, template).run(ctx)
}
