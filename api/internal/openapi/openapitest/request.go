package openapitest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"mime"
	"net/url"
	"strconv"
	"strings"
)

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// request checks a request that was accepted. A body that the operation does not
// read may be anything.
func (d *document) request(operation node, e Exchange) error {
	if err := d.query(operation, e.Path); err != nil {
		return err
	}
	body := d.at(operation, "requestBody")
	if body.object["required"] != true && len(e.Request) == 0 {
		return nil
	}
	content := d.at(body, "content")
	if media := d.at(content, typeJSON); media.object != nil && isType(e.RequestType, typeJSON) {
		return d.json(media, e.Request)
	}
	if media := d.at(content, typeForm); media.object != nil && isType(e.RequestType, typeForm) {
		return d.form(media, e.Request)
	}
	return nil
}

func isType(contentType, wanted string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == wanted
}

// query checks the parameters that the operation describes; others, and empty
// ones, have no effect.
func (d *document) query(operation node, target string) error {
	_, text, _ := strings.Cut(target, "?")
	given, err := url.ParseQuery(text)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	for _, parameter := range d.list(operation, "parameters") {
		name, _ := parameter.object["name"].(string)
		if values := given[name]; parameter.object["in"] == "query" && strings.Join(values, "") != "" {
			if err := d.texts(parameter, values); err != nil {
				return fmt.Errorf("query %s: %q: %w", name, values, err)
			}
		}
	}
	return nil
}

// texts checks the values of a parameter or header by its schema.
func (d *document) texts(owner node, values []string) error {
	schema := d.at(owner, "schema")
	value := typed(schema.object["type"], values[0])
	if schema.object["type"] == "array" {
		item := d.at(schema, "items").object["type"]
		list := []any{}
		for text := range strings.SplitSeq(strings.Join(values, ","), ",") { // repeated, or with commas
			list = append(list, typed(item, text))
		}
		value = list
	}
	return d.valid(owner.pointer+"/schema", value)
}

// typed is what a text of a query says.
func typed(kind any, text string) any {
	switch kind {
	case "integer":
		if number, ok := new(big.Int).SetString(text, 10); ok {
			return json.Number(number.String())
		}
	case "boolean":
		if yes, err := strconv.ParseBool(text); err == nil {
			return yes
		}
	}
	return text
}

// form checks the fields of an urlencoded form, those without brackets.
func (d *document) form(media node, text []byte) error {
	fields, err := url.ParseQuery(string(text))
	if err != nil {
		return fmt.Errorf("form: %w", err)
	}
	object := map[string]any{}
	for name, values := range fields {
		object[name] = values[0]
	}
	return d.valid(media.pointer+"/schema", object)
}
