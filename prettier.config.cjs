// The format of all files.
module.exports = { printWidth: 100, singleQuote: true };
