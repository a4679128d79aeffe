package mongodb

// AtlasAddress shows tests the address that is built from parts: it resolves
// in the DNS only, so no test can connect to it.
func AtlasAddress(o Options) string { return o.atlasFromParts() }
