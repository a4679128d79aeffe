// Package health answers the questions of load balancers and operators: is the
// process alive (/livez), can it do its work (/readyz), and how are its parts
// (/health, the document of the Node backend with true values).
package health
