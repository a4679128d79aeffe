package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/etrainer/backend/api/internal/openapi"
	"github.com/etrainer/backend/api/internal/openapi/openapitest"
)

// The document is OpenAPI 3.1 as another implementation reads it, every
// body of JSON has examples that fit its schema, and every operation says what it is.
func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	text, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	loader := openapi3.NewLoader()
	document, err := loader.LoadFromData(text)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if err := document.Validate(loader.Context, openapi3.EnableExamplesValidation()); err != nil {
		t.Errorf("validate: %v", err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1.") {
		t.Errorf("it is OpenAPI %s, want 3.1", document.OpenAPI)
	}
	openapitest.CheckExamples(t, text)
	ids := map[string]string{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			where := method + " " + path
			if operation.Summary == "" || operation.OperationID == "" || len(operation.Tags) != 1 {
				t.Errorf("%s lacks a summary, an operationId or its one tag", where)
			}
			if other, twice := ids[operation.OperationID]; twice {
				t.Errorf("%s and %s have one operationId", where, other)
			}
			ids[operation.OperationID] = where
			if operation.Security != nil && len(*operation.Security) > 0 && operation.Responses.Value("401") == nil {
				t.Errorf("%s wants a token, and has no response 401", where)
			}
			for status, name := range map[string]string{"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"} {
				if response := operation.Responses.Value(status); response != nil {
					if header := response.Value.Headers[name]; header == nil || !header.Value.Required {
						t.Errorf("%s, %s: the header %s is not required", where, status, name)
					}
				}
			}
		}
	}
}

// Every schema, parameter, header and response that the document defines is
// used, or it describes what is not there.
func TestNothingIsDefinedInVain(t *testing.T) {
	t.Parallel()
	text, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components map[string]map[string]any `json:"components"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for kind, entries := range document.Components {
		if kind == "securitySchemes" {
			continue
		}
		for name := range entries {
			if !strings.Contains(string(text), `"#/components/`+kind+"/"+name+`"`) {
				t.Errorf("components/%s/%s is not used", kind, name)
			}
		}
	}
}
