package wake_test

import (
	"encoding/json"
	"testing"

	"github.com/etrainer/backend/pkg/wake"
)

func TestSilent(t *testing.T) {
	t.Parallel()
	var silent wake.Silent
	if err := silent.Publish(t.Context(), wake.Signal{Kind: wake.Due}); err != nil {
		t.Errorf("Publish: %v", err)
	}
	select {
	case signal, open := <-silent.Signals():
		t.Errorf("got %+v, %t", signal, open)
	default:
	}
	if silent.Connected() {
		t.Error("connected to nobody")
	}
}

// Processes of different versions talk to each other: the names are fixed.
func TestSignalOnTheWire(t *testing.T) {
	t.Parallel()
	for want, signal := range map[string]wake.Signal{
		`{"kind":"due","name":"send mail"}`:      {Kind: wake.Due, Name: "send mail"},
		`{"kind":"cancel","jobId":"65a7010203"}`: {Kind: wake.Cancel, JobID: "65a7010203"},
		`{"kind":"settings","name":"a"}`:         {Kind: wake.Settings, Name: "a"},
		`{"kind":"busy"}`:                        {Kind: wake.Busy},
	} {
		text, err := json.Marshal(signal)
		if err != nil || string(text) != want {
			t.Errorf("%+v is %s (%v), want %s", signal, text, err, want)
		}
		var back wake.Signal
		if err := json.Unmarshal([]byte(want), &back); err != nil || back != signal {
			t.Errorf("%s is read as %+v (%v)", want, back, err)
		}
	}
}
