package errs_test

import (
	"errors"
	"fmt"

	"github.com/etrainer/backend/pkg/errs"
)

func Example() {
	cause := errors.New("E11000 duplicate key, collection: users")
	err := fmt.Errorf("register: %w", errs.Wrap(errs.Conflict, cause, "email is taken: log in, or use another address"))

	fmt.Println("status by:", errs.KindOf(err))
	fmt.Println("user sees:", errs.MessageOf(err))
	fmt.Println("log has:  ", err)
	// Output:
	// status by: conflict
	// user sees: email is taken: log in, or use another address
	// log has:   register: email is taken: log in, or use another address: E11000 duplicate key, collection: users
}
