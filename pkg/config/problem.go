package config

import (
	"errors"
	"strconv"
	"strings"
)

// ErrConfig is in the chain of every error of Load that the user can mend.
var ErrConfig = errors.New("the configuration is not valid")

// Problem is one thing that is wrong with the configuration. Validate methods
// return them, several with errors.Join. It reads as one sentence:
//
//	PORT is "http", which is not a whole number: set it to a number such as 8080
type Problem struct {
	// Variable is the name of the variable.
	Variable string
	// Value is the value at fault. Leave it out of secrets. "" = not shown.
	Value string
	// Fault says what is wrong, after the name or after "which": "is not set",
	// "is not a whole number".
	Fault string
	// Mend says what to do, as an imperative: "set it to ...".
	Mend string
}

// Error returns the sentence.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Variable)
	if p.Value != "" {
		b.WriteString(" is " + strconv.Quote(p.Value) + ", which")
	}
	b.WriteString(" " + p.Fault)
	if p.Mend != "" {
		b.WriteString(": " + p.Mend)
	}
	return b.String()
}

// Unwrap makes a Problem that is returned by itself ErrConfig.
func (p Problem) Unwrap() error { return ErrConfig }

// invalid is everything that Load found wrong, and the names that it does not
// know: one of them may be what was meant by a name that is not set.
type invalid struct {
	problems []error
	unknown  []string
}

func (e invalid) Error() string {
	var b strings.Builder
	b.WriteString(ErrConfig.Error() + ":")
	for _, problem := range e.problems {
		b.WriteString("\n  - " + problem.Error())
	}
	for _, sentence := range e.unknown {
		b.WriteString("\n  - " + sentence)
	}
	return b.String()
}

func (e invalid) Unwrap() []error { return append([]error{ErrConfig}, e.problems...) }

// flatten returns the errors that err joins, and those that they join.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, each := range joined.Unwrap() {
		out = append(out, flatten(each)...)
	}
	return out
}
