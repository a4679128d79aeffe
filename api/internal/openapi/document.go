package openapi

import (
	"embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed spec/*.yaml
var spec embed.FS

// Document returns the document as JSON. It is put together when first asked
// for.
var Document = sync.OnceValues(func() ([]byte, error) {
	files, err := spec.ReadDir("spec")
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	whole := map[string]any{}
	for _, file := range files {
		text, err := spec.ReadFile("spec/" + file.Name())
		if err != nil {
			return nil, fmt.Errorf("read the OpenAPI document: %w", err)
		}
		var part map[string]any
		if err := yaml.Unmarshal(text, &part); err != nil {
			return nil, fmt.Errorf("read %s of the OpenAPI document: %w", file.Name(), err)
		}
		if err := join(whole, part, file.Name()); err != nil {
			return nil, err
		}
	}
	return json.Marshal(whole)
})

// join adds a part to the whole. Objects that both have become one; anything
// else must stand in one file alone.
func join(whole, part map[string]any, where string) error {
	for key, value := range part {
		known, has := whole[key]
		if !has {
			whole[key] = value
			continue
		}
		into, both := known.(map[string]any)
		from, same := value.(map[string]any)
		if !both || !same {
			return fmt.Errorf("%s of the OpenAPI document says %s again", where, key)
		}
		if err := join(into, from, where+": "+key); err != nil {
			return err
		}
	}
	return nil
}
