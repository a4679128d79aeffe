// Package demo fills an empty database with a small language school: users,
// questions, exams, four months of practice and exam results, reminders,
// notifications, lessons, stages, journeys, vocabulary and grammar.
//
// [Build] makes the documents from a fixed seed, so the same moment gives the
// same documents; [Seed] writes them once. The collections, fields, types and
// defaults are those of the Node backend's models, down to the __v that
// Mongoose writes. Nobody in it is real, every address ends in example.com,
// and nobody has a push token, so that jobs never call the outside world.
package demo
