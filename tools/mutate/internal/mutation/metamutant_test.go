package mutation_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etrainer/backend/tools/mutate/internal/mutation"
)

const program = `package main

import (
	"errors"
	"fmt"
)

type box[T any] struct{ value T }

func (b *box[T]) get() T { return b.value }

func named() (n int, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it panicked")
		}
	}()
	n, err = 1, nil
	return n, err
}

func silent(to *[]string) {
	if len(*to) > 5 {
		return
	}
	*to = append(*to, "whole")
}

func main() {
	var said []string
	silent(&said)
	n, err := named()
	fmt.Println((&box[string]{"boxed"}).get(), said, n, err)
}
`

// One program has all mutations, and is itself without one.
func TestMetamutant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	for path, text := range map[string]string{main: program, filepath.Join(dir, "go.mod"): "module example\n\ngo 1.26.0\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit := func(of, old, text string) mutation.Edit { return mutation.Edit{Of: of, Old: old, New: text} }
	files, err := mutation.Metamutant(dir, ".", []mutation.Mutation{
		{Name: "box", Edits: []mutation.Edit{edit("box.get", "return b.value", "var none T; return none")}},
		{Name: "silent", Edits: []mutation.Edit{edit("silent", `*to = append(*to, "whole")`, ``)}},
		{Name: "other", Edits: []mutation.Edit{edit("silent", `"whole"`, `"other"`)}},
		{Name: "panic", Edits: []mutation.Edit{edit("named", `n, err = 1, nil return n, err`, `panic("x")`)}},
		{Name: "two", Edits: []mutation.Edit{edit("named", `1, nil`, `2, nil`), edit("silent", `"whole"`, `"two"`)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range files { // the tests of the product leave the files as they are
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "program", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, output, files[main])
	}
	for mutant, want := range map[string]string{
		"":       "boxed [whole] 1 <nil>",
		"box":    " [whole] 1 <nil>",
		"silent": "boxed [] 1 <nil>",
		"other":  "boxed [other] 1 <nil>",
		"panic":  "boxed [whole] 0 it panicked",
		"two":    "boxed [two] 2 <nil>",
	} {
		run := exec.CommandContext(t.Context(), filepath.Join(dir, "program"))
		run.Env = append(os.Environ(), mutation.Variable+"="+mutant)
		output, err := run.CombinedOutput()
		if got := strings.TrimSuffix(string(output), "\n"); err != nil || got != want {
			t.Errorf("%q says %q, %v; want %q", mutant, got, err, want)
		}
	}
}

// An edit that does not fit says what to look at.
func TestMutationsThatDoNotApply(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]mutation.Edit{
		"nothing is called gone there":                         {Of: "gone"},
		`the text "value" is there 0 times`:                    {Of: "silent", Old: "value"},
		`named in main.go: the text "err" is there 4 times`:    {Of: "named", Old: "err"},
		"mutation m no longer applies to .: nothing is called": {Of: "main.main"},
	} {
		_, err := mutation.Metamutant(dir, ".", []mutation.Mutation{{Name: "m", Edits: []mutation.Edit{edit}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
