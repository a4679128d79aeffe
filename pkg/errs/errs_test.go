package errs_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/etrainer/backend/pkg/errs"
)

func TestWhatCrossesTheBorder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err     error
		kind    errs.Kind
		message string
		field   string
		text    string
	}{
		"nil":      {err: nil},
		"foreign":  {err: io.EOF, text: "EOF"},
		"new":      {err: errs.New(errs.NotFound, "no such job"), kind: errs.NotFound, message: "no such job", text: "no such job"},
		"format":   {err: errs.Newf(errs.TooMany, "wait %d s", 3), kind: errs.TooMany, message: "wait 3 s", text: "wait 3 s"},
		"invalid":  {err: errs.Invalid("when", "when %q is no time", "x"), kind: errs.KindInvalid, field: "when", message: `when "x" is no time`, text: `when "x" is no time`},
		"wrap":     {err: errs.Wrap(errs.Unavailable, io.EOF, "try again later"), kind: errs.Unavailable, message: "try again later", text: "try again later: EOF"},
		"silent":   {err: errs.Wrap(errs.Unavailable, io.EOF, ""), kind: errs.Unavailable, text: "EOF"},
		"internal": {err: &errs.Error{Field: "password", Message: "hash is $2a$", Err: io.EOF}, text: "hash is $2a$: EOF"},
		"wrapped": {
			err:  fmt.Errorf("request 2: %w", errs.Invalid("name", "name is empty")),
			kind: errs.KindInvalid, field: "name", message: "name is empty", text: "request 2: name is empty",
		},
		"outermost wins": {
			err:  errs.Wrap(errs.Conflict, errs.New(errs.NotFound, "inner"), "outer"),
			kind: errs.Conflict, message: "outer", text: "outer: inner",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := errs.KindOf(test.err); got != test.kind {
				t.Errorf("KindOf = %v, want %v", got, test.kind)
			}
			if got := errs.MessageOf(test.err); got != test.message {
				t.Errorf("MessageOf = %q, want %q", got, test.message)
			}
			if got := errs.FieldOf(test.err); got != test.field {
				t.Errorf("FieldOf = %q, want %q", got, test.field)
			}
			if test.err != nil && test.err.Error() != test.text {
				t.Errorf("Error() = %q, want %q", test.err, test.text)
			}
		})
	}
}

func TestWrapKeepsTheCause(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("read body: %w", errs.Wrap(errs.TooLarge, io.ErrUnexpectedEOF, "the body is over 1 MB"))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("errors.Is does not find the cause of %v", err)
	}
}

func TestKindNamesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]errs.Kind{}
	for kind := errs.Internal; kind <= errs.Unavailable; kind++ {
		name := kind.String()
		if other, taken := seen[name]; taken || name == "" {
			t.Errorf("kinds %d and %d are both called %q", other, kind, name)
		}
		seen[name] = kind
	}
	if got := errs.Kind(200).String(); got != "kind_200" {
		t.Errorf("Kind(200) = %q", got)
	}
}
