package catalog_test

import (
	"errors"
	"fmt"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/schedule"
)

// Welcome is the payload of a job.
type Welcome struct {
	UserID string `json:"userId"`
}

// Validate implements catalog.Payload.
func (w Welcome) Validate() error {
	if w.UserID == "" {
		return errors.New("userId is missing; send the id of the new user")
	}
	return nil
}

// Both programs share this one declaration: the api checks payloads with it,
// the worker decodes them.
var WelcomeMail = catalog.Define[Welcome](catalog.Definition{
	Name:        "send welcome mail",
	Description: "Greets a new user.",
})

func Example() {
	jobs := catalog.New(WelcomeMail.Definition, catalog.Definition{
		Name: "remove old files", Repeat: schedule.Spec{Interval: "0 3 * * *", Timezone: "Asia/Ho_Chi_Minh"},
	})
	fmt.Println(jobs.Names())
	definition, _ := jobs.Lookup("send welcome mail")
	fmt.Println(definition.Validate([]byte(`{"userId":"65a7"}`)))
	fmt.Println(definition.Validate([]byte(`{"user":"65a7"}`)))
	fmt.Println(definition.Validate([]byte(`{}`)))
	// Output:
	// [remove old files send welcome mail]
	// <nil>
	// data of "send welcome mail": field "user" is unknown; remove it
	// data of "send welcome mail": userId is missing; send the id of the new user
}
