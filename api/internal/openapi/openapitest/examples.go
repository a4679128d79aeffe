package openapitest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CheckExamples fails the test where a body of JSON has no example, or where an
// example does not fit its schema, those of schemas included.
func CheckExamples(t testing.TB, text []byte) {
	t.Helper()
	d, err := parse(text)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	d.examine(t, node{d.whole, "#"})
}

// examine goes through everything below a node.
func (d *document) examine(t testing.TB, n node) {
	t.Helper()
	if media := d.at(n, "content", typeJSON); media.object != nil {
		examples := d.examplesOf(media)
		if len(examples) == 0 {
			t.Errorf("%s has no example", media.pointer)
		}
		for _, example := range examples {
			d.fits(t, media.pointer+"/schema", example)
		}
	}
	if examples, ok := n.object["examples"].([]any); ok { // of a schema
		for _, example := range examples {
			d.fits(t, n.pointer, example)
		}
	}
	for key, value := range n.object {
		if key == "example" || key == "examples" {
			continue
		}
		switch value := value.(type) {
		case map[string]any:
			d.examine(t, node{value, n.pointer + "/" + escape(key)})
		case []any:
			for i, item := range value {
				if object, ok := item.(map[string]any); ok {
					d.examine(t, node{object, n.pointer + "/" + escape(key) + "/" + strconv.Itoa(i)})
				}
			}
		}
	}
}

// examplesOf are the examples of a body, or else those of its schema.
func (d *document) examplesOf(media node) []any {
	if example, ok := media.object["example"]; ok {
		return []any{example}
	}
	named, _ := media.object["examples"].(map[string]any)
	examples := []any{}
	for _, example := range named {
		object, _ := example.(map[string]any)
		examples = append(examples, object["value"])
	}
	if len(examples) == 0 {
		examples, _ = d.at(media, "schema").object["examples"].([]any)
	}
	return examples
}

func (d *document) fits(t testing.TB, pointer string, example any) {
	t.Helper()
	text, err := json.Marshal(example)
	if err != nil {
		t.Errorf("%s: %v", pointer, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text)) // numbers as the schemas want them
	if err == nil {
		err = d.valid(pointer, value)
	}
	if err != nil {
		t.Errorf("%s: the example does not fit: %v", pointer, err)
	}
}
