export default require('file:///nowhere.js');
