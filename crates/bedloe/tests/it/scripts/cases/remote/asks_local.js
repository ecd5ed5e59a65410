import local from 'file:///nowhere.js';
export default local;
