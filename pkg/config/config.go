package config

import (
	"errors"
	"fmt"
	"os"

	"github.com/caarlos0/env/v11"
)

// FileVariable names the variable that names the optional dotenv file.
const FileVariable = "CONFIG_FILE"

// Options are the optional parts of Load.
type Options struct {
	// Lookup reads a variable of the environment. nil = os.LookupEnv.
	Lookup func(name string) (value string, ok bool)
	// File is a dotenv file whose values count where the environment has none.
	// "" = the file that CONFIG_FILE names; none if that is not set either.
	File string
	// Warnings, when not nil, receives sentences that the caller should log,
	// such as the use of an old name (envAlias) or of one that has no effect any
	// more. They hold no values.
	Warnings *[]string
}

// Load fills the struct that target points to, then calls its Validate() error
// method if it has one. Everything that the user can mend is reported in one
// error, which is ErrConfig and lists each Problem on a line; other errors are
// mistakes in the struct.
//
// A value that cannot be read leaves the default in its place, so that
// Validate does not complain of what follows from it.
func Load(target any, options Options) error {
	fields, err := fieldsOf(target)
	if err != nil {
		return err
	}
	values, err := newSources(options)
	var problems []error
	if err != nil {
		problems = append(problems, err)
	}
	warn := func(format string, args ...any) {
		if options.Warnings != nil {
			*options.Warnings = append(*options.Warnings, fmt.Sprintf(format, args...))
		}
	}
	reported := map[string]bool{}
	for _, f := range fields {
		text := values.find(f, warn)
		problem, err := f.set(text)
		if err != nil {
			return err
		}
		if problem != nil {
			problems = append(problems, *problem)
			reported[problem.Variable] = true
		}
	}
	values.warnOfRetired(warn)
	if validator, ok := target.(interface{ Validate() error }); ok {
		for _, err := range flatten(validator.Validate()) {
			if p, ok := errors.AsType[Problem](err); !ok || !reported[p.Variable] {
				problems = append(problems, err)
			}
		}
	}
	if len(problems) > 0 {
		return invalid{problems}
	}
	return nil
}

// sources are where values come from.
type sources struct {
	lookup func(string) (string, bool)
	file   map[string]string
}

func newSources(options Options) (sources, error) {
	lookup := options.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	name := options.File
	if name == "" {
		name, _ = lookup(FileVariable)
	}
	s := sources{lookup: lookup}
	if name == "" {
		return s, nil
	}
	values, err := readFile(name)
	s.file = values
	return s, err
}

// find returns the text for a field; "" = none. Its own name comes before old
// ones, wherever they stand.
func (s sources) find(f field, warn func(format string, args ...any)) string {
	text, used := "", ""
	for _, name := range f.names {
		found := f.trim(s.value(name))
		switch {
		case found == "":
		case used != "":
			warn("%s is set beside %s, which is its old name: %s counts; remove %s", used, name, used, name)
		default:
			text, used = found, name
			if name != f.names[0] {
				warn("%s is the old name of %s: it works, but rename it", name, f.names[0])
			}
		}
	}
	return text
}

// value returns a variable of the environment, else of the file; "" = none.
func (s sources) value(name string) string {
	if text, _ := s.lookup(name); text != "" {
		return text
	}
	return s.file[name]
}

// set parses text into the field, or the default if text is "". A problem is
// the user's mistake, an error that of the struct.
func (f field) set(text string) (*Problem, error) {
	err := f.parse(text)
	if err == nil {
		return nil, nil
	}
	if notSet := new(env.VarIsNotSetError); errors.As(err, notSet) || errors.As(err, new(env.EmptyVarError)) {
		return f.missing(), nil
	}
	failed := new(env.ParseError)
	if !errors.As(err, failed) || text == "" {
		return nil, fmt.Errorf("field %s of the configuration: %w", f.goName, err)
	}
	if f.fallback != "" {
		if err := f.parse(""); err != nil {
			return nil, fmt.Errorf("default of field %s of the configuration: %w", f.goName, err)
		}
	}
	return f.unreadable(text, failed.Err), nil
}
