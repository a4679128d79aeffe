package config

import (
	"errors"
	"fmt"
)

// FileVariable names the variable that names the optional file of settings.
const FileVariable = "CONFIG_FILE"

// Options are the optional parts of Load.
type Options struct {
	// Environment is read in place of the variables of the process. nil = those.
	Environment map[string]string
	// File holds settings that count where the environment has none; its name says
	// its format. "" = the file that CONFIG_FILE names; none if that is not set
	// either.
	File string
	// Warnings, when not nil, receives sentences that the caller should log: an old
	// name (envAlias) is used, a name has no effect any more, or is unknown. They
	// hold no values.
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
	values, err := newSources(fields, options)
	var problems []error
	if err != nil {
		problems = append(problems, err)
	}
	warn := func(format string, args ...any) {
		if options.Warnings != nil {
			*options.Warnings = append(*options.Warnings, fmt.Sprintf(format, args...))
		}
	}
	for _, f := range fields {
		values.settle(f, warn)
	}
	reported := map[string]bool{}
	for _, f := range fields {
		problem, err := values.fill(f)
		if err != nil {
			return err
		}
		if problem != nil {
			problems = append(problems, *problem)
			reported[problem.Variable] = true
		}
	}
	values.warnOfRetired(warn)
	unknown := values.unknown(fields)
	for _, sentence := range unknown {
		warn("%s", sentence)
	}
	problems = append(problems, validate(target, reported)...)
	if len(problems) > 0 {
		return invalid{problems, unknown}
	}
	return nil
}

// validate asks the target what is wrong with its values, beside the variables
// that are reported already.
func validate(target any, reported map[string]bool) []error {
	validator, ok := target.(interface{ Validate() error })
	if !ok {
		return nil
	}
	var problems []error
	for _, err := range flatten(validator.Validate()) {
		if p, ok := errors.AsType[Problem](err); !ok || !reported[p.Variable] {
			problems = append(problems, err)
		}
	}
	return problems
}
