package embedded

// UngatedURI is the connection string of FerretDB itself, past the gate.
func (m *MongoDB) UngatedURI() string { return "mongodb://" + m.upstream + "/" }
