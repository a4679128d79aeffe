package mongotest

import "go.mongodb.org/mongo-driver/v2/bson"

// Faults are those of commands that a function of the product would send.
func Faults(function string, commands ...bson.Raw) []string {
	w := &watch{}
	for _, command := range commands {
		w.see(origin{function, "file.go:1"}, command)
	}

	return w.found()
}

// Seen lists what was served of the clients that package mongodb made.
func Seen() []string {
	others.mu.Lock()
	defer others.mu.Unlock()

	var shapes []string
	for shape := range others.served {
		shapes = append(shapes, shape)
	}

	return shapes
}
