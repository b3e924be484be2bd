export default { files: ['test/dist/**/*.test.js'], timeout: '3m' };
