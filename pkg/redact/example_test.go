package redact_test

import (
	"fmt"

	"github.com/etrainer/backend/pkg/redact"
)

func Example() {
	fmt.Println(redact.Text("dial mongodb://app:hunter2@db1/etrainer: refused"))
	fmt.Println(redact.Key("refreshToken"), redact.Key("job_name"))
	// Output:
	// dial mongodb://[hidden]@db1/etrainer: refused
	// true false
}
