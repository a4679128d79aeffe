package jobs

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// The bounds of a request.
const (
	maxNameBytes = 255
	maxKeyBytes  = 255
	// maxDataBytes leaves room for the other fields within the 16 MiB that
	// MongoDB allows for a document. BSON is larger than JSON, so a body within
	// its limit can exceed this.
	maxDataBytes = 15 << 20
)

// scheduleBody is the body of POST /schedule. The first three are those of the
// Node backend.
type scheduleBody struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
	// When is text, as schedule.ParseWhen reads it, or epoch milliseconds.
	When json.RawMessage `json:"when"`
	// Priority is a number, or a name such as "high".
	Priority json.RawMessage `json:"priority"`
	// Timezone is where phrases such as "tomorrow at noon" are read.
	Timezone *string `json:"timezone"`
	// AllowUnknown accepts a name that only a Node process knows.
	AllowUnknown json.RawMessage `json:"allowUnknown"`
	// Unique makes this the only job of its name with these values.
	Unique *uniqueBody `json:"unique"`
}

type uniqueBody struct {
	// By are paths within data, such as "user.id".
	By []string `json:"by"`
	// InsertOnly leaves an existing job as it is, instead of replacing its data,
	// priority and time.
	InsertOnly json.RawMessage `json:"insertOnly"`
}

// order is a scheduleBody that has been checked.
type order struct {
	name    string
	data    bson.RawValue
	unique  bool
	options []queue.Option
}

func (b scheduleBody) check() (order, error) {
	o := order{name: b.Name}
	if err := b.checkName(); err != nil {
		return order{}, err
	}
	var err error
	if o.data, err = readData(b.Data); err != nil {
		return order{}, err
	}
	for _, read := range []func() (queue.Option, error){b.when, b.priority, b.unique(o.data)} {
		option, err := read()
		if err != nil {
			return order{}, err
		}
		if option != nil {
			o.options = append(o.options, option)
		}
	}
	anyName, err := readFlag("allowUnknown", b.AllowUnknown)
	if err != nil {
		return order{}, err
	}
	if anyName {
		o.options = append(o.options, queue.AnyName())
	}
	o.unique = b.Unique != nil
	return o, nil
}

func (b scheduleBody) checkName() error {
	switch {
	case strings.TrimSpace(b.Name) == "":
		return web.Title("Job name is required", errs.Invalid("name", "Job name is required: send the name of a job as text in \"name\""))
	case len(b.Name) > maxNameBytes || strings.ContainsRune(b.Name, 0):
		return errs.Invalid("name", "name %q is not the name of a job: it may have at most %d bytes, and no NUL", errs.Shorten(b.Name), maxNameBytes)
	}
	return nil
}

// readData turns the payload into what is stored; absent = {}.
func readData(text json.RawMessage) (bson.RawValue, error) {
	if text == nil {
		text = json.RawMessage("{}")
	}
	data, err := job.ToData(text)
	if err != nil {
		return bson.RawValue{}, errs.Invalid("data", "data cannot be stored: %v", err)
	}
	if len(data.Value) > maxDataBytes {
		return bson.RawValue{}, errs.Newf(errs.TooLarge, "data takes %d bytes when stored, and may take %d; store it elsewhere and send a reference", len(data.Value), maxDataBytes)
	}
	if key := reservedKey(data); key != "" {
		return bson.RawValue{}, errs.Invalid("data", "data has the key %q, and MongoDB reserves keys that begin with $; rename it", errs.Shorten(key))
	}
	return data, nil
}

// reservedKey finds a key that begins with $, at any depth.
func reservedKey(value bson.RawValue) string {
	if value.Type != bson.TypeEmbeddedDocument && value.Type != bson.TypeArray {
		return ""
	}
	elements, _ := bson.Raw(value.Value).Elements()
	for _, element := range elements {
		if key := element.Key(); strings.HasPrefix(key, "$") {
			return key
		}
		if key := reservedKey(element.Value()); key != "" {
			return key
		}
	}
	return ""
}

// when reads the time. Absent and "" mean now, as in the Node backend. It took null
// for 1970; here null is refused, for it is more likely a mistake.
func (b scheduleBody) when() (queue.Option, error) {
	const mend = `leave it out for now, or send text such as "in 5 minutes" or epoch milliseconds`
	zone, err := b.zone()
	if err != nil || b.When == nil {
		return nil, err
	}
	var text string
	switch number := json.Number(b.When); {
	case b.When[0] == '"':
		if err := json.Unmarshal(b.When, &text); err != nil {
			return nil, errs.Invalid("when", "when cannot be read; %s", mend)
		}
		if text == "" {
			return nil, nil // now, as in the Node backend
		}
		if strings.TrimSpace(text) == "" {
			return nil, errs.Invalid("when", "when is blank; %s", mend)
		}
	case b.When[0] == '-' || '0' <= b.When[0] && b.When[0] <= '9':
		milliseconds, _ := number.Float64() // one that is too large for a float64 is infinite
		at, err := schedule.ParseWhenNumber(milliseconds)
		if err != nil {
			return nil, errs.Invalid("when", "when %s is beyond the times that can be stored; send epoch milliseconds", errs.Shorten(string(b.When)))
		}
		return queue.At(at), nil
	default:
		return nil, errs.Invalid("when", "when must be text or a number, not %s; %s", web.KindOf(b.When), mend)
	}
	return queue.When(text, zone), nil
}

// zone reads the time zone; nil = the configured one.
func (b scheduleBody) zone() (*time.Location, error) {
	if b.Timezone == nil {
		return nil, nil
	}
	zone, err := schedule.ParseZone(*b.Timezone)
	if err != nil {
		return nil, errs.Invalid("timezone", `timezone %q is not known; use an IANA name such as "Asia/Ho_Chi_Minh", or "UTC+7"`, errs.Shorten(*b.Timezone))
	}
	return zone, nil
}

// priority reads a number, a name, or a number as text, which forms send.
func (b scheduleBody) priority() (queue.Option, error) {
	text := string(bytes.TrimSpace(b.Priority))
	if text == "" || text == "null" {
		return nil, nil
	}
	if text[0] == '"' {
		if err := json.Unmarshal(b.Priority, &text); err != nil {
			return nil, errs.Invalid("priority", "priority cannot be read; use a number")
		}
	} else if kind := web.KindOf(b.Priority); kind != "a number" {
		return nil, errs.Invalid("priority", "priority must be a number or a name, not %s", kind)
	}
	number, err := strconv.ParseFloat(text, 64)
	if err == nil && !math.IsInf(number, 0) && !math.IsNaN(number) {
		return queue.Priority(number), nil
	}
	number, err = job.ParsePriority(errs.Shorten(text))
	if err != nil {
		return nil, errs.Invalid("priority", "%v", err)
	}
	return queue.Priority(number), nil
}

// unique reads the fields that identify the job, and takes their values from
// the payload.
func (b scheduleBody) unique(data bson.RawValue) func() (queue.Option, error) {
	return func() (queue.Option, error) {
		if b.Unique == nil {
			return nil, nil
		}
		if len(b.Unique.By) == 0 {
			return nil, errs.Invalid("unique.by", `unique.by is empty; name the fields of data that identify the job, such as ["userId"]`)
		}
		by := make(map[string]any, len(b.Unique.By))
		for _, path := range b.Unique.By {
			value, ok := scalarAt(data, path)
			if !ok {
				return nil, errs.Invalid("unique.by", "unique.by names %q, and data has no text, number, true or false there; name a field that it has", errs.Shorten(path))
			}
			by[path] = value
		}
		insertOnly, err := readFlag("unique.insertOnly", b.Unique.InsertOnly)
		if err != nil {
			return nil, err
		}
		return queue.UniqueBy(by, insertOnly), nil
	}
}

// scalarAt finds the text, number or boolean at a dotted path.
func scalarAt(data bson.RawValue, path string) (any, bool) {
	document, ok := data.DocumentOK()
	if !ok || path == "" {
		return nil, false
	}
	value, err := document.LookupErr(strings.Split(path, ".")...)
	if err != nil {
		return nil, false
	}
	switch value.Type {
	case bson.TypeString:
		return value.StringValue(), true
	case bson.TypeBoolean:
		return value.Boolean(), true
	case bson.TypeInt32:
		return value.Int32(), true
	case bson.TypeInt64:
		return value.Int64(), true
	case bson.TypeDouble:
		return value.Double(), true
	default:
		return nil, false
	}
}

// readFlag reads true or false, which forms send as text; absent or null = false.
func readFlag(field string, text json.RawMessage) (bool, error) {
	switch string(text) {
	case "true", `"true"`:
		return true, nil
	case "", "false", `"false"`, "null":
		return false, nil
	default:
		return false, errs.Invalid(field, "%s must be true or false, not %s", field, web.KindOf(text))
	}
}

// idempotencyKey reads the header; "" = none.
func idempotencyKey(header http.Header) (string, error) {
	values := header.Values(headerKey)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	good := len(values) == 1 && key != "" && len(key) <= maxKeyBytes
	for i := 0; good && i < len(key); i++ {
		good = '!' <= key[i] && key[i] <= '~'
	}
	if !good {
		return "", errs.Invalid(headerKey, "the header %s must be 1 to %d visible ASCII characters; send a UUID, for instance", headerKey, maxKeyBytes)
	}
	return key, nil
}

// idempotent makes repeated requests of a caller with this key one job.
func (o *order) idempotent(caller, key string) error {
	if o.unique {
		return errs.Invalid("unique", "unique and the header %s exclude each other; send one of them", headerKey)
	}
	// The id has a fixed length, so two callers cannot make the same text.
	o.options = append(o.options, queue.Idempotent(caller+" "+key))
	return nil
}
